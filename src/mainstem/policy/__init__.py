"""Who may do what: rights at the source, as SQL. Pure."""
