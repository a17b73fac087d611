"""Models, written once in DuckDB's SQL, in the SQL of another engine: the same rows, or refused. Pure."""

from mainstem.compile.query import Compiled, compile_query
from mainstem.compile.operands import Describe

__all__ = ["Compiled", "Describe", "compile_query"]
