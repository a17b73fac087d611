"""Compiled code of `mainstem.hashing`; may be absent."""
