"""MySQL's words for the canonical texts of a proof (`contract/canonical.py`).

Which form a column has, is chosen so that both sides compute it cheaply: numbers as digits, times as
microseconds, long texts and bytes as a number of their own, so that a row's text stays far below
max_allowed_packet."""

from __future__ import annotations

from collections.abc import Mapping

from mainstem.contract.canonical import Form, Hash
from mainstem.schema import Column, Table
from mainstem.source.mysql.mapping import FOREIGN_CHARSET, Wire, parse_native, quote, value, wire
from mainstem.source.port import APPLIED

_CHARACTERS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_LONG_TEXTS = ("text", "mediumtext", "longtext", "json")
_SHORT_BYTES = 255

_FORMS = {
    Wire.BOOLEAN: Form.BOOLEAN,
    Wire.INT: Form.INTEGER,
    Wire.LONG: Form.INTEGER,
    Wire.TIME: Form.INTEGER,
    Wire.FLOAT: Form.DOUBLE_MYSQL,
    Wire.DOUBLE: Form.DOUBLE_MYSQL,
    Wire.DATE: Form.DATE,
    Wire.TIMESTAMP: Form.EPOCH_MICROS,
}
# Literals of utf8mb4, so that joining with them converts nothing (X'1F' alone is binary, and costs a
# conversion a cell: 4.3 s against 2.7 s for 3 million rows of 16 columns).
_SEPARATOR = "_utf8mb4 X'1F'"
_NULL = "_utf8mb4 X'1E'"


SEEN = "seen"  # in a replica's position: what it had applied after the snapshot opened


def _highest(gtids: str) -> dict[str, int]:
    """The greatest number by domain of MariaDB's `0-1-100,1-7-42`."""
    found: dict[str, int] = {}
    for domain, _, number in (gtid.split("-") for gtid in gtids.split(",") if gtid.count("-") == 2):
        found[domain] = max(found.get(domain, 0), int(number))
    return found


class _Text(str):
    """SQL for a canonical text; `bare` is SQL that gives the same text where a text is wanted (inside
    CONCAT_WS or COALESCE) and spares a CAST a cell."""

    __slots__ = ("bare", "nullable")
    bare: str
    nullable: bool

    @classmethod
    def of(cls, sql: str, bare: str, nullable: bool) -> _Text:
        text = cls(sql)
        text.bare = bare
        text.nullable = nullable
        return text

    def joined(self) -> str:
        return f"COALESCE({self.bare}, {_NULL})" if self.nullable else self.bare


class MySQLDialect:
    """SQL for MariaDB and MySQL, in a session as `Session` pins it."""

    hash = Hash.CRC32
    now = "UTC_TIMESTAMP(6)"

    def written_since(self, before: Mapping[str, str], now: Mapping[str, str]) -> str:
        """InnoDB knows a row's transaction, and tells nobody."""
        return ""

    def behind(self, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """MariaDB: by the number of the last transaction of each domain that both know."""
        seen = _highest(f"{before.get('gtid', '')},{before.get(SEEN, '')}") if APPLIED in now else {}
        applied = _highest(now.get(APPLIED, ""))
        return any(number > applied.get(domain, number) for domain, number in seen.items())

    def live(self, column: Column) -> str:
        """A zero date is no time."""
        sql = value(column)
        if wire(column) in (Wire.DATE, Wire.TIMESTAMP):
            return f"COALESCE(YEAR({sql}), 0) = 0"
        return f"COALESCE({sql}, 0) = 0"

    def quote(self, name: str) -> str:
        return quote(name)

    def ref(self, table: Table) -> str:
        return f"{quote(table.source_schema)}.{quote(table.source_name)}"

    def form(self, column: Column) -> Form:
        native = parse_native(column.native)
        match wire(column):
            case Wire.TEXT:
                return Form.TEXT_HASH if native.word in _LONG_TEXTS else Form.TEXT
            case Wire.BYTES:
                short = native.word in ("binary", "varbinary") and native.first <= _SHORT_BYTES
                return Form.HEX if short else Form.BINARY_HASH
            case Wire.DECIMAL:
                return Form.FIXED if column.type.scale else Form.INTEGER
            case other:
                return _FORMS[other]

    def text(self, column: Column, form: Form) -> str:
        """Every text is in a subset of utf8mb4 or plain digits, so that joining them converts nothing."""
        bare = _bare(column, form)
        characters = form in (Form.TEXT, Form.HEX)
        return _Text.of(bare if characters else f"CAST({bare} AS CHAR)", bare, column.nullable)

    def row_hash(self, texts: list[str]) -> str:
        """CRC32 gives an INT UNSIGNED. CONCAT_WS leaves NULLs out, hence the stand-in."""
        cells = (t.joined() if isinstance(t, _Text) else f"COALESCE({t}, {_NULL})" for t in texts)
        return f"CRC32(CONCAT_WS({_SEPARATOR}, {', '.join(cells)}))"

    def total(self, sql: str) -> str:
        """SUM of integers is a DECIMAL(65,0) in the server: exact."""
        return f"CAST(COALESCE(SUM({sql}), 0) AS CHAR)"

    def modulo(self, sql: str, buckets: int) -> str:
        return f"(({sql}) MOD {buckets:d})"


def _bare(column: Column, form: Form) -> str:
    plain = value(column)
    match form:
        case Form.INTEGER if wire(column) is Wire.TIME:
            # MariaDB's TIME_TO_SEC has a fraction, MySQL's has none: only its whole seconds are used.
            whole = f"TRUNCATE(TIME_TO_SEC({plain}), 0) * 1000000"
            return f"CAST({whole} + IF({plain} < TIME'00:00:00', -1, 1) * MICROSECOND({plain}) AS SIGNED)"
        case Form.INTEGER | Form.FIXED | Form.BOOLEAN | Form.DATE | Form.DOUBLE_MYSQL:
            return plain
        case Form.TEXT:
            return _characters(column, plain)
        case Form.TEXT_HASH:
            return f"CRC32({_characters(column, plain)})"
        case Form.BINARY_HASH:
            return f"CRC32({plain})"
        case Form.HEX:
            return f"HEX({plain})"
        case Form.EPOCH_MICROS:
            return f"TIMESTAMPDIFF(MICROSECOND, TIMESTAMP'1970-01-01 00:00:00', {plain})"
        case Form.TIMESTAMP_FIXED:
            return f"CAST({plain} AS DATETIME(6))"
        case _:
            raise ValueError(f"MySQL has no SQL for the canonical form {form}")


def _characters(column: Column, plain: str) -> str:
    """The UTF-8 text. Columns of utf8mb4 and utf8mb3 are that already."""
    native = parse_native(column.native)
    if native.word not in _CHARACTERS:
        return f"CAST({plain} AS CHAR CHARACTER SET utf8mb4)"
    if FOREIGN_CHARSET in column.native:
        return f"CONVERT({plain} USING utf8mb4)"
    return plain
