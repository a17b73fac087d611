"""The values that other tools get wrong, one line a case: for the sources' tests, the fidelity tests and
the page of type mappings (docs/sources.md)."""
