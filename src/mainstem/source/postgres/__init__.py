"""PostgreSQL as a source: one repeatable-read transaction, binary COPY, every value exact."""

from mainstem.source.postgres.source import PostgresSource

__all__ = ["PostgresSource"]
