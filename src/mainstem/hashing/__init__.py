"""Hashes and texts of whole columns: the lake's side of a proof, apart from every source's decoder."""

from mainstem.hashing.columns import COMPILED, crc32_each, crc32_sum, jenkins_each, mysql_double_text
from mainstem.hashing.rows import RowSum

__all__ = ["COMPILED", "RowSum", "crc32_each", "crc32_sum", "jenkins_each", "mysql_double_text"]
