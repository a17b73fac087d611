"""Models → tables: the SQL runs on the engine, the result is proven, then committed."""
