"""Models, written once in DuckDB's SQL, in the SQL of another engine: the same rows, or refused. Pure."""

from mainstem.compile.operands import Describe
from mainstem.compile.query import Compiled, compile_query

__all__ = ["Compiled", "Describe", "compile_query"]
