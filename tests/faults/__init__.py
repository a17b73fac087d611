"""Faults on purpose: each is made, seen to happen, and judged by a ledger of its own."""
