"""PostgreSQL's words for the proof. The hash of a row is the server's own 64-bit hash of texts, which costs a
tenth of MD5; MD5, which every server computes alike, where the server's own is not the one known here.
Floats are compared by their bits."""

from __future__ import annotations

from collections.abc import Mapping

from mainstem.contract.canonical import PLAINEST, Form, Hash
from mainstem.hashing.jenkins import jenkins_64
from mainstem.schema import Column, Kind, Table
from mainstem.source.port import APPLIED
from mainstem.source.postgres.types import is_time, quote, value

_FORMS = {
    **PLAINEST,
    Kind.BINARY: Form.BINARY_HASH,
    Kind.TIMESTAMP: Form.EPOCH_MICROS,
    Kind.TIMESTAMPTZ: Form.EPOCH_MICROS,
}
_FAR = (1 << 31) - (1 << 24)  # transactions: beyond, ages turn around
_MICROS_TO_2000 = 946_684_800_000_000
# The first 64 bits as a signed number with the top bit flipped are the unsigned number less 2^63.
_OFFSET = " + 9223372036854775808)"
_MOST = 90  # arguments of a function: the server takes 100
HASH_PROBE = "SELECT hashtextextended('mainstem 0123456789' COLLATE \"C\", 0)"
_PROBED = jenkins_64(b"mainstem 0123456789") - (1 << 63)


class PostgresDialect:
    """`Dialect` for PostgreSQL.

    `parents` are the tables (schema, name) with inheritance children, which are read alone; the source
    fills it whenever it looks at the server. `hash` is what the server computes (`knows_hash`).
    """

    now = "clock_timestamp()"

    def __init__(self) -> None:
        self.parents: set[tuple[str, str]] = set()
        self.hash = Hash.JENKINS_64

    def written_since(self, before: Mapping[str, str], now: Mapping[str, str]) -> str:
        """Rows whose transaction (xmin) is not older than the oldest that `before` saw at work. A row keeps
        the low 32 bits of its transaction's number, so they are compared by age, up to 2^31 transactions
        back. (PostgreSQL's manual, 5.6 System Columns and 9.27.8.)"""
        oldest, newest = (int(p["snapshot"].split(":")[at]) for p, at in ((before, 0), (now, 1)))
        if not 0 <= newest - oldest < _FAR:
            return ""
        return f"age(xmin) <= age('{oldest % (1 << 32)}'::xid)"

    def behind(self, before: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """By places in the log, of one cluster, and of the timeline of then or an older one: after a failover
        there is another history."""
        applied, seen = now.get(APPLIED), before.get("lsn")
        same = before.get("system_identifier", "") == now.get("system_identifier")
        if not (applied and seen and same) or int(now["timeline"]) > int(before["timeline"]):
            return False
        return _place(applied) < _place(seen)

    def live(self, column: Column) -> str:
        """See SourceDialect."""
        sql = value(column)
        if column.type.kind is Kind.BOOLEAN:
            return f"{sql} IS NOT TRUE"
        numbers = (Kind.INT, Kind.LONG, Kind.DECIMAL)
        return f"coalesce({sql}, 0) = 0" if column.type.kind in numbers else f"{sql} IS NULL"

    def quote(self, name: str) -> str:
        return quote(name)

    def ref(self, table: Table) -> str:
        only = "ONLY " if (table.source_schema, table.source_name) in self.parents else ""
        return f"{only}{quote(table.source_schema)}.{quote(table.source_name)}"

    def form(self, column: Column) -> Form:
        return _FORMS[column.type.kind]

    def knows_hash(self, seen: int) -> None:
        """Choose the hash by what the server says to `HASH_PROBE`: another processor's words have their
        bytes in another order."""
        self.hash = Hash.JENKINS_64 if seen == _PROBED else Hash.MD5_64

    def text(self, column: Column, form: Form) -> str:
        """The text; it remembers whether it can be NULL, and what a concatenation takes in its place."""
        sql = self._text(column, form)
        bare = value(column) if _prints_itself(column, form) else sql
        return _Text.of(sql, bare, column.nullable)

    def _text(self, column: Column, form: Form) -> str:
        name = value(column)
        if form is Form.INTEGER and is_time(column):
            return f"({_big_endian(f'time_send({name})')})::text"
        if form is Form.FIXED:
            return f"{name}::numeric::text"
        if form is Form.EPOCH_MICROS:
            send = "timestamp_send" if column.type.kind is Kind.TIMESTAMP else "timestamptz_send"
            micros = f"{_big_endian(f'{send}({name})')} + {_MICROS_TO_2000}"
            # Infinity and the last years would overflow; the reader is to refuse them, with words.
            return f"CASE WHEN {name} < '10000-01-01' THEN ({micros})::text ELSE {name}::text END"
        return {
            Form.INTEGER: f"{name}::text",
            Form.TEXT: f"{name}::text",
            Form.BOOLEAN: f"{name}::int::text",
            Form.DATE: f"{name}::text",
            Form.DOUBLE_BITS: f"upper(encode(float8send({name}), 'hex'))",
            Form.FLOAT_BITS: f"upper(encode(float4send({name}), 'hex'))",
            Form.HEX: f"upper(encode({name}, 'hex'))",
            Form.TEXT_HASH: f"{_md5_64(f'md5({name}::text)')}::text",
            Form.BINARY_HASH: f"{_md5_64(f'md5({name})')}::text",
        }[form]

    def row_hash(self, texts: list[str]) -> str:
        if self.hash is Hash.MD5_64:
            return _md5_64(f"md5({_joined([f'coalesce({text}, chr(30))' for text in texts])})")
        return f'(hashtextextended({_concatenated(texts)} COLLATE "C", 0){_OFFSET}'

    def total(self, sql: str) -> str:
        if sql.endswith(_OFFSET):
            # sum(x + c) = sum(x) + c · count(*): sums of bigint are several times faster than of numeric.
            # A row hash is never NULL.
            return (
                f"(coalesce(sum({sql.removesuffix(_OFFSET)[1:]}), 0) + 9223372036854775808 * count(*))::text"
            )
        return f"coalesce(sum(({sql})::numeric), 0)::text"

    def modulo(self, sql: str, buckets: int) -> str:
        return f"(({sql}) % {buckets})"


class _Text(str):
    """SQL for a canonical text; `bare` gives the same text where values are concatenated, and spares a cast
    a cell."""

    __slots__ = ("bare", "nullable")
    bare: str
    nullable: bool

    @classmethod
    def of(cls, sql: str, bare: str, nullable: bool) -> _Text:
        text = cls(sql)
        text.bare = bare
        text.nullable = nullable
        return text


def _prints_itself(column: Column, form: Form) -> bool:
    """Whether the type's own output is the canonical text. Not char(n), whose blanks a cast takes off."""
    native = column.native.partition("(")[0]
    match form:
        case Form.INTEGER:
            return native in ("smallint", "integer", "bigint")
        case Form.FIXED:
            return native == "numeric"
        case Form.TEXT:
            return native in ("text", "character varying")
        case _:
            return form is Form.DATE and native == "date"


def _concatenated(texts: list[str]) -> str:
    """concat_ws leaves NULLs out, hence the stand-in; it takes 100 arguments."""
    cells = []
    for text in texts:
        bare, nullable = (text.bare, text.nullable) if isinstance(text, _Text) else (text, True)
        cells.append(f"coalesce({text}, chr(30))" if nullable else bare)
    if len(cells) == 1:
        return f"concat({cells[0]})"
    while len(cells) > 1:
        parts = (cells[at : at + _MOST] for at in range(0, len(cells), _MOST))
        cells = [f"concat_ws(chr(31), {', '.join(part)})" for part in parts]
    return cells[0]


def _joined(parts: list[str]) -> str:
    # A balanced tree keeps the depth of the expression small: a table may have 1,600 columns.
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return f"({_joined(parts[:half])} || chr(31) || {_joined(parts[half:])})"


def _big_endian(eight_bytes: str) -> str:
    return f"('x' || encode({eight_bytes}, 'hex'))::bit(64)::bigint"


def _md5_64(md5: str) -> str:
    return f"((('x' || substr({md5}, 1, 16))::bit(64)::bigint # (-9223372036854775808)::bigint){_OFFSET}"


def _place(lsn: str) -> int:
    """`16/B374D848` as a number of bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)
