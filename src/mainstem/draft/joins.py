"""The FROM clause of a model: one import CTE a table, left joins along paths, each path joined once."""

from __future__ import annotations

from mainstem.draft import lexicon, naming, words
from mainstem.draft.graph import Graph
from mainstem.draft.star import Path
from mainstem.schema import Kind


class Joins:
    """Collects the paths that a model needs and hands out the alias of each; keeps the order of asking."""

    def __init__(self, graph: Graph, base: str, reserved: frozenset[str] = frozenset()) -> None:
        self._graph = graph
        self._base = base
        self._ctes: dict[str, str] = {}
        self._taken = naming.Names([*reserved, "final", "described", "unknown"])
        self._aliases: dict[Path, str] = {(): self.cte(base)}

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
        return [
            f"{name} as (\n    select * from raw.{words.quote(table)}\n)"
            for table, name in self._ctes.items()
        ]

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
            lines.append(f"{indent}left join {named}\n{indent}    on{_and(pairs, indent)}")
        return "\n".join(lines)


def _and(pairs: list[str], indent: str) -> str:
    """One condition on the line of `on`, several each on a line of its own."""
    if len(pairs) == 1:
        return f" {pairs[0]}"
    return f"\n{indent}        " + f"\n{indent}        and ".join(pairs)


def key_text(joins: Joins, path: Path, key: tuple[str, ...]) -> str:
    """The natural key as text, a composite one joined by bars; NULL where the row is missing."""
    return " || '|' || ".join(f"cast({joins.column(path, column)} as varchar)" for column in key)
