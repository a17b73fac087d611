"""A large table in ranges of its key's first column.

Any boundaries divide the rows of any snapshot, as long as they ascend in the server's own order: those of
texts are keys of the table each of which the server itself calls greater than the one before, by the column's
collation. How even the parts are is guessed.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from mainstem.schema import Column, Table
from mainstem.source.mysql.mapping import parse_native, quote

PART_ROWS = 1_000_000  # of a part, about: the server's statistics are estimates
_NUMBERS = (*("tinyint", "smallint", "mediumint", "int", "integer", "bigint"), "decimal", "numeric")
_MOMENTS = ("date", "datetime", "timestamp")
_TEXTS, _BYTES = ("char", "varchar"), ("binary", "varbinary")
_ALPHABETS = ("0123456789", "0123456789abcdef", "0123456789abcdefghijklmnopqrstuvwxyz")
_TAIL = 8  # letters, or bytes, after what the least and the greatest key have in common
_RANDOM_UUID = "4"

Ask = Callable[[str], Sequence[tuple[Any, ...]]]


def leading(table: Table) -> Column | None:
    """The column by whose ranges a table is read; None if it has no key that serves."""
    columns = {column.name: column for column in table.columns}
    for key in (table.primary_key, *table.unique_keys):
        column = columns.get(key[0]) if key else None
        if column and parse_native(column.native).word in (*_NUMBERS, *_MOMENTS, *_TEXTS, *_BYTES, "uuid"):
            return column
    return None


def order(table: Table, ask: Ask) -> str:
    """The collation by which the boundaries ascend; empty for all but texts."""
    column = leading(table)
    if column is None or not number_of_parts(table) or parse_native(column.native).word not in _TEXTS:
        return ""
    found = ask(f"SELECT COLLATION({quote(column.name)}) FROM {_ref(table)} LIMIT 1")
    return str(found[0][0]) if found else ""


def _ref(table: Table) -> str:
    return f"{quote(table.source_schema)}.{quote(table.source_name)}"


def number_of_parts(table: Table) -> int:
    """About how many parts a table is read in; 0 for one that is read whole."""
    return table.rows // PART_ROWS if table.rows >= 2 * PART_ROWS and leading(table) else 0


def conditions(table: Table, ask: Ask) -> tuple[str, ...]:
    """Each row fulfils exactly one of them; the first and the last are open. Empty for a table that is read
    whole."""
    column, number = leading(table), number_of_parts(table)
    if column is None or not number:
        return ()
    name, ref = quote(column.name), _ref(table)
    word = parse_native(column.native).word
    if word in _NUMBERS:
        cuts = _numbers(name, ref, number, ask)
    elif word in _MOMENTS:
        cuts = _moments(name, ref, number, ask)
    else:
        cuts = _texts(name, ref, word, number, ask)
    return ranges(name, cuts, nullable=column.nullable)


def ranges(name: str, cuts: Sequence[str], *, nullable: bool = False) -> tuple[str, ...]:
    """Conditions between ascending literals."""
    if not cuts:
        return ()
    first = f"({name} <= {cuts[0]} OR {name} IS NULL)" if nullable else f"{name} <= {cuts[0]}"
    between = [f"{name} > {low} AND {name} <= {high}" for low, high in pairwise(cuts)]
    return (first, *between, f"{name} > {cuts[-1]}")


def evenly(least: int, most: int, number: int) -> list[int]:
    """Numbers that cut what lies between two numbers into parts, each once."""
    number = min(number, most - least)
    return [least + (most - least) * at // number for at in range(1, number)]


def _numbers(name: str, ref: str, number: int, ask: Ask) -> list[str]:
    ((least, most),) = ask(f"SELECT MIN({name}), MAX({name}) FROM {ref}")
    return [] if least is None else [str(cut) for cut in evenly(int(least), int(most), number)]


def _moments(name: str, ref: str, number: int, ask: Ask) -> list[str]:
    """Zero dates, and what else lies before the year 1000, are in the first part."""
    shown = f"CAST(MIN({name}) AS CHAR), CAST(MAX({name}) AS CHAR)"
    ((least, most),) = ask(f"SELECT {shown} FROM {ref} WHERE {name} >= '1000-01-01'")
    try:
        first, last = (datetime.fromisoformat(str(found)[:19]) for found in (least, most))
    except ValueError:  # none, or a date of no calendar
        return []
    cuts = [first + timedelta(seconds=at) for at in evenly(0, int((last - first).total_seconds()), number)]
    if len(str(least)) == len("1000-01-01"):
        return [f"'{day.isoformat()}'" for day in sorted({cut.date() for cut in cuts} - {last.date()})]
    return [f"'{cut.isoformat(' ')}'" for cut in cuts]


def _texts(name: str, ref: str, word: str, number: int, ask: Ask) -> list[str]:
    """Keys that are in the table, found by the index: from evenly spread guesses the next key each, if the
    server says that it is greater than the last one."""
    shown = f"CAST({name} AS CHAR)" if word == "uuid" else f"HEX({name})"
    ((least, most),) = ask(
        f"SELECT (SELECT {shown} FROM {ref} WHERE {name} IS NOT NULL ORDER BY {name} LIMIT 1), "
        f"(SELECT {shown} FROM {ref} ORDER BY {name} DESC LIMIT 1)"
    )
    if least is None:
        return []
    charset = (
        "" if word in (*_BYTES, "uuid") else str(ask(f"SELECT CHARSET({name}) FROM {ref} LIMIT 1")[0][0])
    )
    cuts: list[str] = []
    for guess in _guesses(word, str(least), str(most), number, charset):
        greater = f"{name} > {cuts[-1]}" if cuts else "1"
        found = ask(f"SELECT {shown}, {greater} FROM {ref} WHERE {name} >= {guess} ORDER BY {name} LIMIT 1")
        if found and found[0][1]:
            cuts.append(_literal(word, str(found[0][0]), charset))
    return cuts


def _literal(word: str, shown: str, charset: str) -> str:
    """The key as the server shows it, as a literal that takes the column's collation."""
    return f"'{shown}'" if word == "uuid" else f"_{charset} X'{shown}'" if charset else f"X'{shown}'"


def _guesses(word: str, least: str, most: str, number: int, charset: str) -> list[str]:
    """Literals, evenly spread between two keys as far as their form tells."""
    if word == "uuid":
        return [f"'{guess}'" for guess in _uuids(least, most, number)]
    first, last = bytes.fromhex(least), bytes.fromhex(most)
    if not charset:
        common = _common(first, last)
        low, high = (int.from_bytes(key[common:][:_TAIL].ljust(_TAIL, b"\0")) for key in (first, last))
        found = [first[:common] + cut.to_bytes(_TAIL) for cut in evenly(low, high, number)]
        return [f"X'{guess.hex()}'" for guess in found]
    words = _words(first.decode("ascii", "replace"), last.decode("ascii", "replace"), number)
    return [f"_utf8mb4 X'{guess.encode().hex()}'" for guess in words]


def _common(first: str | bytes, last: str | bytes) -> int:
    """How many letters or bytes two keys have in common at their beginning."""
    pairs = enumerate(zip(first, last, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(last)))


def _words(least: str, most: str, number: int) -> list[str]:
    """Letters of ASCII alone, which every character set has."""
    upper = most.isupper() or least.isupper()
    first, last = least.casefold(), most.casefold()
    prefix = first[: _common(first, last)]
    tails = [word[len(prefix) :][:_TAIL] for word in (first, last)]
    if not prefix.isascii():
        return []
    letters = {letter for tail in tails for letter in tail if letter.isalnum()}
    alphabet = next((one for one in _ALPHABETS if letters <= set(one)), _ALPHABETS[-1])
    low, high = (_number(tail, alphabet) for tail in tails)
    found = [prefix + _word(cut, alphabet) for cut in evenly(low, high, number)]
    return [word.upper() if upper else word for word in found]


def _number(tail: str, alphabet: str) -> int:
    """The tail as a number to the base of the alphabet; other letters are the one before them in it."""
    total = 0
    for at in range(_TAIL):
        digit = bisect_right(alphabet, tail[at]) - 1 if at < len(tail) else 0
        total = total * len(alphabet) + max(digit, 0)
    return total


def _word(number: int, alphabet: str) -> str:
    letters = []
    for _ in range(_TAIL):
        number, digit = divmod(number, len(alphabet))
        letters.append(alphabet[digit])
    return "".join(reversed(letters))


def _uuids(least: str, most: str, number: int) -> list[str]:
    """MariaDB sorts random ones by their last digits, others by their first ones: a guess at the former has
    the same digits everywhere."""
    version = least[14]
    if version == _RANDOM_UUID:
        found = [f"{cut:012x}" for cut in evenly(0, 16**12, number)]
        return [f"{cut[:8]}-{cut[:4]}-{version}{cut[:3]}-8{cut[:3]}-{cut}" for cut in found]
    low, high = (int(key.replace("-", ""), 16) for key in (least, most))
    found = [f"{cut:032x}" for cut in evenly(low, high, number)]
    return [f"{cut[:8]}-{cut[8:12]}-{version}{cut[13:16]}-8{cut[17:20]}-{cut[20:]}" for cut in found]
