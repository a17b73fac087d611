"""Spark 3.5 as an engine: a local session over the same Iceberg tables."""

from mainstem.engine.spark.engine import Spark

__all__ = ["Spark"]
