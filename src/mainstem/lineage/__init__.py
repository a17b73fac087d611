"""Where a model's columns come from, found by parsing its SQL."""
