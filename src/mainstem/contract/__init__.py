"""Expectations and reconciliation: pure functions from declarations to SQL checks and verdicts."""
