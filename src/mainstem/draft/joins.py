"""The FROM clause of a model: one import CTE a table, left joins along paths, each path joined once."""

from __future__ import annotations

from mainstem.draft import lexicon, naming, words
from mainstem.draft.graph import Graph
from mainstem.draft.star import AsOf, Path
from mainstem.schema import Kind


class Joins:
    """Collects the paths that a model needs and hands out the alias of each; keeps the order of asking."""

    def __init__(self, graph: Graph, base: str, reserved: frozenset[str] = frozenset()) -> None:
        self._graph = graph
        self._base = base
        self._ctes: dict[str, str] = {}
        self._taken = naming.Names([*reserved, "final", "described", "unknown"])
        self._aliases: dict[Path, str] = {(): self.cte(base)}
        self._versions: dict[Path, tuple[AsOf, str]] = {}

    def cte(self, table: str) -> str:
        """The name of the table's import CTE."""
        if table not in self._ctes:
            node = self._graph[table]
            name = naming.many(naming.entity(node))
            if name in lexicon.RESERVED:
                name = f"{name}_rows"
            self._ctes[table] = self._taken.take(name)
        return self._ctes[table]

    def alias(self, path: Path) -> str:
        """The alias under which the table at the end of the path is joined; joins it if it is not yet."""
        if path in self._aliases:
            return self._aliases[path]
        self.alias(path[:-1])
        hop = path[-1]
        name = self.cte(hop.target)
        if name in self._aliases.values():
            role = naming.role(hop, self._graph[hop.table], self._graph[hop.target])
            if hop.table == hop.target:
                role = naming.self_role(hop, self._graph[hop.table])
            through = naming.entity(self._graph[hop.table])
            name = self._taken.take(
                f"{role or through}_{name}", f"{through}_{role}_{name}" if role else f"{through}_{name}"
            )
        self._aliases[path] = name
        return name

    def version(self, path: Path, as_of: AsOf, moment: str) -> str:
        """The alias of a history's version that held at `moment` (SQL); joins it if it is not yet."""
        self._versions.setdefault(path, (as_of, moment))
        return self.alias(path)

    def column(self, path: Path, name: str) -> str:
        """A column of the table at the end of the path: `customers."customerName"`."""
        return f"{self.alias(path)}.{words.quote(name)}"

    def _equal(self, table: str, left: str, column: str, target: str, right: str, other: str) -> str:
        """`left = right`; as text where one is text and the other is not (SQLite lets that be)."""
        kinds = {
            self._graph[table].table.column(column).type.kind is Kind.STRING,
            self._graph[target].table.column(other).type.kind is Kind.STRING,
        }
        if len(kinds) == 1:
            return f"{left} = {right}"
        return f"cast({left} as varchar) = cast({right} as varchar)"

    def imports(self) -> list[str]:
        """The import CTEs, one a table."""
        histories = {path[-1].target: as_of for path, (as_of, _) in self._versions.items()}
        return [_import(name, table, histories.get(table)) for table, name in self._ctes.items()]

    def clause(self, indent: str = "    ") -> str:
        """`from … left join … on …`, in the order of asking."""
        lines = [f"{indent}from {self._aliases[()]}"]
        for path, alias in self._aliases.items():
            if not path:
                continue
            hop = path[-1]
            table = self._ctes[hop.target]
            before = self._aliases[path[:-1]]
            named = table if table == alias else f"{table} as {alias}"
            pairs = [
                self._equal(
                    hop.table, f"{before}.{words.quote(c)}", c, hop.target, f"{alias}.{words.quote(t)}", t
                )
                for c, t in zip(hop.columns, hop.target_columns, strict=True)
            ]
            if path in self._versions:
                as_of, moment = self._versions[path]
                since = began(alias, as_of)
                following = f"{alias}.{following_start(as_of)}"
                inside = f"\n{indent}            "
                open_end = f"({inside}{moment} < {following}{inside}or {following} is null\n{indent}        )"
                pairs += [f"{moment} >= {since}", open_end]
            lines.append(f"{indent}left join {named}\n{indent}    on{_and(pairs, indent)}")
        return "\n".join(lines)


def following_start(as_of: AsOf) -> str:
    """The column that says when the next version began."""
    return words.quote(f"next_{words.snake(words.split(as_of.since))}")


def began(alias: str, as_of: AsOf) -> str:
    """When a version began: the moment, or its day."""
    value = f"{alias}.{words.quote(as_of.since)}"
    return value if as_of.exact else f"cast({value} as date)"


def _import(name: str, table: str, as_of: AsOf | None) -> str:
    if as_of is None:
        return f"{name} as (\n    select * from raw.{words.quote(table)}\n)"
    since = words.quote(as_of.since)
    shown = since if as_of.exact else f"cast({since} as date)"
    by = ", ".join(words.quote(column) for column in as_of.by)
    return (
        f"{name} as (\n    select\n        *,\n        lead({shown}) over (\n"
        f"            partition by {by}\n            order by {since}\n"
        f"        ) as {following_start(as_of)}\n    from raw.{words.quote(table)}\n)"
    )


def _and(pairs: list[str], indent: str) -> str:
    """One condition on the line of `on`, several each on a line of its own."""
    if len(pairs) == 1:
        return f" {pairs[0]}"
    return f"\n{indent}        " + f"\n{indent}        and ".join(pairs)


def key_text(joins: Joins, path: Path, key: tuple[str, ...]) -> str:
    """The natural key as text, a composite one joined by bars; NULL where the row is missing."""
    return " || '|' || ".join(f"cast({joins.column(path, column)} as varchar)" for column in key)
