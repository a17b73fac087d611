"""The business's words: names of facts, dimensions, keys, roles and columns."""

from __future__ import annotations

from collections.abc import Iterable

from mainstem.draft import lexicon, words
from mainstem.draft.graph import Graph, Node
from mainstem.draft.star import Hop

_NOISE = frozenset({"header", "head", "table", "data", "master", "tbl", "record"})


def entity(node: Node) -> str:
    """One row of the table, in the singular: `customers` → customer, `Order Details` → order_detail."""
    said = [w for w in node.said if w not in _NOISE] or list(node.said)
    last = said[-1]
    written_out = [_written_out(w) for w in said]
    tail = last if last in lexicon.UNCOUNTABLE else words.singular(written_out[-1])
    name = words.snake([words.plain(word) for word in (*written_out[:-1], tail)])
    if name == "date":
        return "calendar_date"  # `dim_dates` is the star's own
    return name if name != "column" else "entity"


def _written_out(word: str) -> str:
    return lexicon.ABBREVIATIONS.get(word, word) if word not in ("rep", "no") else word


def many(one: str) -> str:
    """The plural of a snake_case entity."""
    head, _, tail = one.rpartition("_")
    return f"{head}_{words.plural(tail)}" if head else words.plural(tail)


def line_entity(line: Node, header: Node) -> str:
    """What a line of a document is called: after the document, then `line` or the table's own word."""
    own = entity(line)
    if line.head in ("detail", "line", "row", "entry", "position") or set(line.means) <= lexicon.LINE:
        return f"{entity(header)}_line"
    return own


def role(hop: Hop, source: Node, target: Node) -> str:
    """What the target is to the source, by the foreign key's name; empty where that is the target itself.

    `salesRepEmployeeNumber` → sales_rep; `customer_id` → ''; `departure_airport` → departure; a column that
    has the name of the key itself (`isbn`) says nothing of a role.
    """
    if [c.lower() for c in hop.columns] == [c.lower() for c in hop.target_columns]:
        return ""
    said = list(words.split(hop.columns[-1])) if len(hop.columns) == 1 else []
    while len(said) > 1 and said[-1] in lexicon.KEY_WORDS:
        said.pop()
    means = list(words.meanings(said))
    own = list(target.means)
    for size in range(len(own), 0, -1):
        if means[-size:] == own[-size:]:
            said, means = said[:-size], means[:-size]
            break
    else:
        if len(means) == 1 and (means[0] in own or (own[-1:] and own[-1].startswith(means[0]))):
            return ""
    prefix = source.said_of.get(hop.columns[-1], ()) if len(hop.columns) == 1 else ()
    if prefix and len(prefix) < len(words.split(hop.columns[-1])) and said and said[0] not in prefix:
        said = said[1:]
    said = [w for w in said if w not in ("fk", "id")]
    return words.snake(said) if said else ""


def self_role(hop: Hop, source: Node) -> str:
    """The role of a self-reference: `reportsTo` → manager, `parent_id` → parent."""
    found = role(hop, source, source)
    if set(found.split("_")) & {"report", "reports", "boss", "supervisor"}:
        return "manager"
    return found or "parent"


def column(node: Node, name: str, prefix: str = "") -> str:
    """A column's name in the star; a folded one carries the prefix unless it says it already."""
    said = list(node.said_of[name])
    if prefix and not _says(said, prefix):
        said = [*prefix.split("_"), *said]
    elif (
        len(said) == 1
        and said[0] in ("id", "name", "title", "code", "key", "type", "description", "number")
        and not prefix
    ):
        said = [*entity(node).split("_"), *said]
    return words.snake(said)


def _says(said: list[str], prefix: str) -> bool:
    head = prefix.split("_")
    return said[: len(head)] == head or (len(head) > 1 and said[:2] == head[:2])


def event_date(node: Node, name: str) -> str:
    """The role of a date: `orderDate` → ordered, `created_at` → created, `due_date` → due."""
    said = list(node.said_of[name])
    while len(said) > 1 and (said[-1] in lexicon.TIME_TAIL or said[-1] == "utc"):
        said.pop()
    if len(said) == 1 and said[0] in lexicon.TIME_TAIL:
        said = [entity(node).rpartition("_")[2]]
    if len(said) > 1 and set(said[:-1]) & lexicon.PLANNED:
        return words.snake(said)  # requested_delivery: nothing has been delivered yet
    said[-1] = lexicon.PARTICIPLES.get(words.singular(said[-1]), lexicon.PARTICIPLES.get(said[-1], said[-1]))
    if len(said) == 2 and said[1] == "started" and said[0] in ("actual", "scheduled", "planned"):
        return words.snake(said)
    return words.snake(said)


class Names:
    """Hands out names, each once; a name that is taken gets the next candidate, then a number."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}

    def take(self, *candidates: str) -> str:
        """The first candidate that is free, else the last one with a number."""
        for candidate in candidates:
            if candidate.lower() not in self._taken:
                self._taken.add(candidate.lower())
                return candidate
        number = 2
        while f"{candidates[-1]}_{number}".lower() in self._taken:
            number += 1
        return self.take(f"{candidates[-1]}_{number}")

    def role(self, *candidates: str) -> str:
        """The first date role whose three columns (`_date_key`, `_date`, `_at`) are free; takes them."""
        tails = ("_date_key", "_date", "_at")
        numbered = (f"{candidates[-1]}_{number}" for number in range(2, 1000))
        for candidate in (*candidates, *numbered):
            if not any(f"{candidate}{tail}" in self for tail in tails):
                self._taken.update(f"{candidate}{tail}".lower() for tail in tails)
                return candidate
        raise AssertionError("a thousand dates of one name")

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._taken


def fact_entity(graph: Graph, node: Node, header: Node | None) -> str:
    """One row of a fact: lines are named after their document."""
    if header is not None and node.head in lexicon.LINE:
        return line_entity(node, header)
    return entity(node)
