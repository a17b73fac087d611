"""Where SQL runs. Adapter: DuckDB."""
