"""Models as values: what they refer to, in which order they run, what one row of them is. Pure."""
