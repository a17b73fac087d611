"""MySQL and MariaDB: read exactly, from one consistent snapshot, without writing a byte."""

from mainstem.source.mysql.adapter import MySQLSource

__all__ = ["MySQLSource"]
