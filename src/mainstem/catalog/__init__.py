"""Which metadata file a table stands at, and which tables a release is made of."""
