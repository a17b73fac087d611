"""Writes the tables of docs/sources.md out of the case tables: what a type becomes, and on how many values
that is tested. `scripts/type-mappings` runs it; a test fails when the page is not up to date."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from cases import layout, mysql, postgres, sqlite
from mainstem.source.postgres.session import SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "sources.md"
_EXTRAS = re.compile(
    r" (character set|collate) \w+| ?/\*.*?\*/| (not )?null\b| default .*| (generated always )?as \(.*| invisible"
    r"| zerofill",
    re.IGNORECASE,
)
_INTEGERS = re.compile(r"^(tinyint|smallint|mediumint|int|bigint|float|double|year)\([\d,]+\)")
# Names that the cases themselves create.
_OWN = {
    "mood": "enum",
    "pair": "composite",
    "pairs": "domain",
    "nested": "composite",
    "span": "ranges",
    **dict.fromkeys(re.findall(r"CREATE DOMAIN (\w+)", postgres.SETUP + postgres.TYPES_SETUP), "domain"),
}
_RANGES = re.compile(r"\w*(multi)?range$")
_REGISTERED = re.compile(r"^reg\w+$")
_GEOMETRIC = ("point", "line", "lseg", "box", "path", "polygon", "circle")
_UNDECLARED = "no type, or none of these"
_ORDER = ("boolean", "int", "long", "decimal(p,s)", "decimal(20,0)", "decimal(19,2)", "float", "double")
_NOTES = {
    ("mysql", "time"): "microseconds, negative ones too",
    ("mysql", "decimal(p > 38, s)"): "all its digits",
    ("mysql", "geometry"): "four bytes of SRID, then WKB",
    ("postgres", "time"): "microseconds; 24:00 is 86,400,000,000",
    ("postgres", "numeric"): "all its digits; NaN and infinities are texts",
    ("sqlite", _UNDECLARED): "as its stored values ask for",
}
_SPATIAL = ("point", "linestring", "polygon", "multipoint", "geometrycollection")


def family(source: str, native: str) -> str:
    """A declaration as the page names it: without lengths, labels and character sets."""
    if source == "postgres":
        return _postgres(native)
    name = _EXTRAS.sub("", native).strip()
    if source == "sqlite":
        return _sqlite(name.upper())
    if native == "float(53)" or native.endswith("character set binary"):
        return "float(25 to 53)" if native == "float(53)" else "varchar character set binary"
    if "zerofill" in native and name.startswith("int"):
        name = "int unsigned"
    name = _INTEGERS.sub(r"\1", name.lower())
    if match := re.match(r"bit\((\d+)\)", name):
        width = int(match[1])
        return f"bit({width if width in (1, 64) else '2 to 63'})"
    if match := re.match(r"decimal\((\d+),\d+\)", name):
        return "decimal(p > 38, s)" if int(match[1]) > 38 else "decimal(p,s)"
    name = re.sub(r"^(enum|set)\(.*", r"\1", name)
    name = "int" if name == "boolean" else name
    return "geometry" if name in _SPATIAL else re.sub(r" *\(\d+\)", "", name)


def _sqlite(name: str) -> str:
    if name in ("", "POINT", "JSON", "UUID"):
        return _UNDECLARED
    if match := re.match(r"DECIMAL\((\d+),", name):
        return "DECIMAL(p > 38, s)" if int(match[1]) > 38 else "DECIMAL(p,s)"
    return re.sub(r"\(\d+\)", "(n)", re.sub(r"\(\d+, ?\d+\)", "(p,s)", name))


def _postgres(native: str) -> str:
    name = _EXTRAS.sub("", native).strip()
    if name.endswith("[]"):
        return "arrays"
    name = _OWN.get(name, name)
    if match := re.match(r"numeric\((\d+),(-?\d+)\)", name):
        precision, scale = int(match[1]), int(match[2])
        wide = max(precision - min(scale, 0), scale) > 38
        return "numeric(p > 38, s)" if wide else "numeric(p,s)"
    if _RANGES.fullmatch(name):
        return "ranges"
    if _REGISTERED.match(name):
        return "reg… types"
    if name in _GEOMETRIC:
        return "geometric types"
    return re.sub(r"^interval .*", "interval", re.sub(r"\(\d+\)", "", name))


def _lake(source: str, native: str, lake: str) -> str:
    given = re.search(r"(decimal|numeric|number)\(", native.lower()) is not None
    return "decimal(p,s)" if lake.startswith("decimal") and given else lake


def table(source: str, types: Iterable[tuple[str, str, tuple[str, ...]]]) -> str:
    """A Markdown table: source types, lake type, number of values."""
    rows: dict[tuple[str, str], dict[str, int]] = {}
    for native, lake, literals in types:
        name = family(source, native)
        if name == "domain":
            continue
        key = (_lake(source, native, lake), _NOTES.get((source, name), ""))
        counts = rows.setdefault(key, {})
        counts[name] = counts.get(name, 0) + len(literals)
    lines = ["| in the source | in the lake | values tested |", "|---|---|--:|"]
    for (lake, note), counts in sorted(rows.items(), key=_place):
        names = ", ".join(name if name == _UNDECLARED else f"`{name}`" for name in sorted(counts))
        lines.append(f"| {names} | `{lake}`{note and f', {note}'} | {sum(counts.values())} |")
    return "\n".join(lines)


def _place(row: tuple[tuple[str, str], dict[str, int]]) -> tuple[bool, int, str, str]:
    (lake, note), _ = row
    return note.startswith("as its"), _ORDER.index(lake) if lake in _ORDER else len(_ORDER), lake, note


def _columns(types: Iterable[tuple[str, str, list[str]]]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(c.native, c.lake, c.literals) for grid in layout.grids(types) for c in grid.columns]


def parts() -> dict[str, str]:
    """What stands between the page's markers, by their names."""
    mysql_types = [*((native, lake, [literal]) for native, literal, lake, _ in mysql.CASES), *mysql.TYPES]
    sqlite_types = [*((native, lake, literals) for native, literals, lake, _ in sqlite.EXACT), *sqlite.TYPES]
    return {
        "mysql": table("mysql", _columns(mysql_types)),
        "postgres": table("postgres", _columns(postgres.EXACT + postgres.TYPES)),
        "sqlite": table("sqlite", _columns(sqlite_types)),
        "postgres settings": ", ".join(f"`{name} = {value}`" for name, value in SETTINGS.items()) + ".",
    }


def filled(page: str) -> str:
    """The page with its generated parts written anew."""
    for name, content in parts().items():
        begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
        head, found, rest = page.partition(begin)
        assert found, f"the page has no marker {begin}"
        page = f"{head}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
