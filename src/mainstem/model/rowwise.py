"""Is each row of a model made of one row of its grain table and what is joined to it? Pure.

Then a run that knows which rows changed computes those again, and no others. The form in which that can be
seen: one SELECT that joins plain tables to the grain table (LEFT or INNER JOIN), inside SELECTs that choose,
rename and filter; no groups, windows, sets, subqueries or functions that answer differently each time.
Whatever is not recognised here is built in full.

Why the rows stay right: take a row g of the grain table that did not change, and let the first join whose
partners of g differ be J. The joins before it give g the same partners as ever, so one of J's changed rows,
as it was or as it is, meets the condition, and `affected` finds g. If there is no such join, g's rows of the
model are as they were. `affected` may find more than those: it asks for equal columns alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mainstem.model.sql import DIALECT
from mainstem.schema import MART, TableName
from mainstem.text import quoted

_SHAPING = ("group", "having", "distinct", "limit", "offset", "qualify", "sample", "windows", "laterals")
_UNSTEADY = (exp.Rand, exp.Randn, exp.Uuid, exp.SessionUser)
_PREFIXES = ("current", "local", "now", "today", "utc")
_KNOWN = frozenset(
    {
        "isfinite", "isinf", "isnan", "strptime", "try_strptime", "make_date", "make_timestamp", "dayname",
        "monthname", "strip_accents", "damerau_levenshtein", "jaccard", "printf", "format", "bar", "ord",
        "last_day", "list_value", "struct_pack", "epoch_ms", "hash",
    }
)  # fmt: skip
"""Functions that SQLGlot has no class for, and that give the same for the same."""


class _No(Exception):
    """The form is not recognised; the text says why, after "it"."""


@dataclass(frozen=True, slots=True)
class Equal:
    """Part of a join's condition: a column of a table before it (0: the grain, 1: the first that is
    joined, …) equals a column of the table joined."""

    before: int
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Joined:
    """A joined table and the plain equalities of its condition, by the tables' own column names."""

    table: TableName
    on: tuple[Equal, ...]


@dataclass(frozen=True, slots=True)
class Rowwise:
    """A recognised model. `key`: column of the model → column of the grain table, unchanged; `joined`:
    the other tables that it reads, in the order of their joins (a table may come twice)."""

    grain: TableName
    key: Mapping[str, str]
    joined: tuple[Joined, ...]

    @property
    def tables(self) -> frozenset[TableName]:
        """Every table that the model reads."""
        return frozenset((self.grain, *(one.table for one in self.joined)))

    def affected(self, index: int, changed: str) -> str:
        """SELECT of the keys of the grain's rows that meet a changed row of the table joined at `index`.
        `changed` is the relation that has those rows, as they were and as they are."""
        columns = ", ".join(f"t0.{quoted(column)}" for column in self.key.values())
        lines = [f"select distinct {columns} from {quoted(*self.grain)} as t0"]
        for place, one in enumerate(self.joined[: index + 1], start=1):
            on = " and ".join(f"t{e.before}.{quoted(e.left)} = t{place}.{quoted(e.right)}" for e in one.on)
            last = place == index + 1
            lines.append(
                f"{'' if last else 'left '}join {changed if last else quoted(*one.table)} as t{place} on {on}"
            )
        return "\n".join(lines)


def rowwise(query: exp.Query, key: Sequence[str]) -> Rowwise | str:
    """The model's form, or the reason why it has to be built in full ("groups rows"). `key` are the columns
    that the model's header names."""
    try:
        _require_steady(query)
        body = _body(query)
        sources = [_source(body), *(join.this for join in body.args.get("joins") or ())]
        grain, *others = (_base(query, source) for source in sources)
        if grain in others:
            raise _No(f"joins {grain} to itself")
        read = {_name(table) for table in query.find_all(exp.Table) if not _is_cte(query, table)}
        if read != {grain, *others}:
            raise _No("reads a table that it does not join")
        joined = tuple(
            Joined(table, _equalities(query, sources, place)) for place, table in enumerate(others, start=1)
        )
        found = {column: traced for column in key if (traced := _traced(query, query, column))}
        if not found:
            raise _No(f"does not keep a column of {grain} in its key")
        return Rowwise(grain, found, joined)
    except _No as reason:
        return str(reason)


def additive(query: exp.Query) -> bool:
    """Whether a SELECT of expressions over one table looks at one row at a time, and gives the same each
    time: then a sum of them over a table is the sum of those over its parts."""
    try:
        _require_steady(query)
        _require_plain(query)
    except _No:
        return False
    return True


# What is refused


def _require_steady(query: exp.Query) -> None:
    for node in query.walk():
        if isinstance(node, exp.Window):
            raise _No("looks at other rows (a window)")
        if isinstance(node, exp.AggFunc):
            raise _No("groups rows")
        if isinstance(node, exp.SetOperation):
            raise _No("unites several SELECTs")
        if isinstance(node, exp.UDTF | exp.Lateral | exp.Pivot | exp.Unnest | exp.Explode | exp.TableSample):
            raise _No("makes rows of its own")
        if isinstance(node, exp.Column) and node.args.get("db"):
            raise _No("names columns by their schema")
        if isinstance(node, exp.Func) and not isinstance(node, exp.Connector):
            _require_known(node)
    with_ = _with_of(query)
    names = [cte.alias.casefold() for cte in with_.expressions] if with_ is not None else []
    for place, name in enumerate(names):
        assert with_ is not None
        later = set(names[place:])
        if any(not t.db and t.name.casefold() in later for t in with_.expressions[place].find_all(exp.Table)):
            raise _No(f"has a WITH named {name} that reads a table of such a name")


def _require_known(node: exp.Func) -> None:
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        if node.name.lower() not in _KNOWN:
            raise _No(f"calls {node.name.lower()}(), which may not give the same each time")
    elif isinstance(node, _UNSTEADY) or type(node).__name__.lower().startswith(_PREFIXES):
        raise _No(f"calls {node.sql(dialect=DIALECT).lower()}, which does not give the same each time")


def _require_plain(select: exp.Expr) -> exp.Select:
    if not isinstance(select, exp.Select):
        raise _No("is no plain SELECT")
    if any(select.args.get(name) for name in _SHAPING):
        raise _No("groups, orders out or cuts off rows")
    parts = [*select.expressions, select.args.get("where")]
    parts += [join.args.get("on") for join in select.args.get("joins") or ()]
    if any(part is not None and part.find(exp.Subquery, exp.Select) for part in parts):
        raise _No("has a subquery in an expression")
    if _from(select) is None:
        raise _No("reads no table")
    return select


# The parts


def _with_of(query: exp.Expr) -> exp.With | None:
    return query.args.get("with_") or query.args.get("with")


def _from(select: exp.Select) -> exp.From | None:
    return select.args.get("from_") or select.args.get("from")


def _source(select: exp.Select) -> exp.Expression:
    source = _from(select)
    assert source is not None
    found: exp.Expression = source.this
    return found


def _ctes(query: exp.Query) -> dict[str, exp.Expression]:
    with_ = _with_of(query)
    return {cte.alias.casefold(): cte.this for cte in with_.expressions} if with_ is not None else {}


def _is_cte(query: exp.Query, table: exp.Table) -> bool:
    return not table.db and table.name.casefold() in _ctes(query)


def _name(table: exp.Table) -> TableName:
    return TableName(table.db.lower() or MART, table.name)


def _inner(query: exp.Query, source: exp.Expression) -> exp.Expression | None:
    """The SELECT behind a CTE's name or a subquery; None for a table."""
    if isinstance(source, exp.Subquery):
        inner: exp.Expression = source.this
        return inner
    if not isinstance(source, exp.Table) or not isinstance(source.this, exp.Identifier):
        raise _No("makes rows of its own")
    return _ctes(query)[source.name.casefold()] if _is_cte(query, source) else None


def _body(query: exp.Query) -> exp.Select:
    """The SELECT that joins; without joins, the one that reads the table itself."""
    select = _require_plain(query)
    while True:
        if select is not query and _with_of(select) is not None:
            raise _No("has a WITH inside another SELECT")
        if select.args.get("joins"):
            return select
        inner = _inner(query, _source(select))
        if inner is None:
            return select
        select = _require_plain(inner)


def _base(query: exp.Query, source: exp.Expression) -> TableName:
    """The one table behind a source that chooses, renames and filters alone."""
    while True:
        inner = _inner(query, source)
        if inner is None:
            assert isinstance(source, exp.Table)
            return _name(source)
        select = _require_plain(inner)
        if select.args.get("joins") or _with_of(select) is not None:
            raise _No("joins in more than one SELECT")
        source = _source(select)


def _equalities(query: exp.Query, sources: Sequence[exp.Expression], place: int) -> tuple[Equal, ...]:
    """The plain equalities of the join that brings the source at `place`."""
    join = sources[place].parent
    assert isinstance(join, exp.Join)
    kind = " ".join(filter(None, (join.method, join.side, join.kind)))
    if kind not in ("", "LEFT", "INNER", "LEFT OUTER"):
        raise _No(f"has a {kind} JOIN")
    if join.args.get("using"):
        names = [column.name for column in join.args["using"]]
        if place > 1:
            raise _No("has several joins with USING: which table a column is of cannot be told")
        pairs = [(0, name, name) for name in names]
    else:
        on = join.args.get("on")
        conditions = list(on.flatten()) if isinstance(on, exp.And) else [on]
        pairs = [pair for one in conditions if (pair := _pair(sources, place, one)) is not None]
    found = []
    for before, left, right in pairs:
        theirs, mine = _down(query, sources[before], left), _down(query, sources[place], right)
        if theirs and mine:
            found.append(Equal(before, theirs, mine))
    if not found:
        raise _No(f"joins {_base(query, sources[place])} by no plain column")
    return tuple(found)


def _pair(sources: Sequence[exp.Expression], place: int, one: object) -> tuple[int, str, str] | None:
    if not isinstance(one, exp.EQ):
        return None
    sides = (one.this, one.expression)
    names = [source.alias_or_name.casefold() for source in sources[: place + 1]]
    if not all(isinstance(side, exp.Column) and side.table.casefold() in names for side in sides):
        return None
    owners = [names.index(side.table.casefold()) for side in sides]
    if owners[1] == place and owners[0] < place:
        return owners[0], sides[0].name, sides[1].name
    if owners[0] == place and owners[1] < place:
        return owners[1], sides[1].name, sides[0].name
    return None


# Columns


def _down(query: exp.Query, source: exp.Expression, column: str) -> str:
    """The column of the table behind a source that a column of it is, unchanged; empty if there is none."""
    inner = _inner(query, source)
    return column if inner is None else _traced(query, inner, column)


def _traced(query: exp.Query, select: exp.Expr, column: str) -> str:
    """The column of the first table behind a SELECT that a column of it is, unchanged; empty if none."""
    assert isinstance(select, exp.Select)
    name, table = _chosen(select, column)
    source = _source(select)
    if not name or (table and table.casefold() != source.alias_or_name.casefold()):
        return ""
    if select.args.get("joins") and not table:
        return ""  # it may be a column of any of them
    return _down(query, source, name)


def _chosen(select: exp.Select, column: str) -> tuple[str, str]:
    """Name and table of what a SELECT has under a column's name; empty if it is computed."""
    stars = False
    for one in select.expressions:
        if isinstance(one, exp.Star) or (isinstance(one, exp.Column) and isinstance(one.this, exp.Star)):
            stars = True
        elif one.alias_or_name.casefold() == column.casefold():
            value = one.unalias()
            return (value.name, value.table) if isinstance(value, exp.Column) else ("", "")
    # A star over joins may have the name from any table; one with EXCEPT or REPLACE is not read.
    plain = stars and len(select.expressions) == 1 and not select.args.get("joins")
    star = select.expressions[0] if plain else None
    if isinstance(star, exp.Star) and not any(star.args.values()):
        return column, ""
    return "", ""
