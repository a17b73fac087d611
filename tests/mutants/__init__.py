"""Bugs planted on purpose, to see whether the tests are there that would find them."""
