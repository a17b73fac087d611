"""Source → lake: one consistent read, proven before it is committed."""
