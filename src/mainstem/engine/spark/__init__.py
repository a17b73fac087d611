"""Spark 3.5 as an engine: a local session over the same Iceberg tables. `engine.Spark` is the adapter."""
