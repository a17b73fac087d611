"""From decisions to the star: names, columns, roles, measures, reasons."""

from __future__ import annotations

from dataclasses import replace

from mainstem.draft import dims, fact_columns, naming, words
from mainstem.draft.columns import LEFT_OUT, Use
from mainstem.draft.fact_columns import note
from mainstem.draft.facts import Found
from mainstem.draft.graph import Node
from mainstem.draft.junk import junk_of
from mainstem.draft.measures import measures_of
from mainstem.draft.notes import link_reasons, notes_of
from mainstem.draft.shapes import Shape
from mainstem.draft.star import (
    Bridge,
    Dimension,
    Fact,
    Gathered,
    Hop,
    Link,
    Measure,
    Path,
    SourceColumn,
    Star,
)
from mainstem.draft.verdicts import verdicts_of
from mainstem.draft.walk import is_geo, works_here
from mainstem.schema import Kind


def assemble(found: Found, plan: dims.Plan) -> Star:
    """The star of these decisions; deterministic, in the source's order of tables."""
    names = naming.Names(["dim_dates"])
    order = list(found.graph.nodes)
    bases = sorted(plan.bases, key=order.index)
    entities: dict[str, str] = {}
    taken = naming.Names(["date"])
    for base in bases:
        entities[base] = taken.take(naming.entity(found.graph[base]), words.snake(words.split(base)))
    named = {
        base: names.take(f"dim_{naming.many(entities[base])}", f"dim_{entities[base]}") for base in bases
    }
    dimensions = tuple(_dimension(found, plan, base, entities[base], named[base]) for base in bases)
    facts = tuple(_fact(found, plan, table, named, entities, names) for table in found.facts)
    bridges = tuple(_bridge(found, plan, table, named, entities, names) for table in plan.bridges)
    star = Star(found.graph.database.engine, facts, dimensions, bridges)
    return replace(
        star,
        verdicts=verdicts_of(found, plan, star),
        proposals=found.graph.proposals,
        notes=notes_of(found, star),
    )


# --- dimensions -----------------------------------------------------------------------------------------


def _dimension(found: Found, plan: dims.Plan, base: str, entity: str, name: str) -> Dimension:
    node = found.graph[base]
    paths = plan.folds[base]
    folded = {path[0].columns: path for path in paths if len(path) == 1}
    taken = naming.Names([f"{entity}_key"])
    attributes = [SourceColumn(taken.take(naming.column(node, c)), c, (), note(node, c)) for c in node.key]
    for column in node.table.columns:
        if column.name in node.key or node.uses[column.name] in LEFT_OUT:
            continue
        if (
            node.uses[column.name] is Use.KEY
            and column.type.kind is not Kind.STRING
            and (column.name,) in folded
        ):
            continue
        attributes.append(
            SourceColumn(
                taken.take(naming.column(node, column.name)),
                column.name,
                (),
                note(node, column.name),
            )
        )
    for hop in node.own:
        attributes += _names_at(node, hop, naming.self_role(hop, node), taken)
    for hop in _elsewhere(found, plan, node):
        said = naming.role(hop, node, found.graph[hop.target]) or naming.entity(found.graph[hop.target])
        attributes += _names_at(found.graph[hop.target], hop, said, taken)
    kept = []
    for path in paths:
        columns = _folded_columns(found, base, path, paths, taken)
        attributes += columns
        if columns or any(other[: len(path)] == path and other != path for other in paths):
            kept.append(path)
    gathered = tuple(
        Gathered(taken.take(naming.many(naming.entity(found.graph[other.target]))), bridge, owner, other,
                 found.graph[other.target].columns(Use.LABEL)[0].name)
        for bridge, owner, other in plan.gathered.get(base, ())
    )  # fmt: skip
    why = list(plan.why[base])
    for path in paths:
        why.append(f"{path[-1].target} folds in: to-one, and no fact refers to it." if len(path) == 1
                   else f"{path[-1].target} folds in through {path[-2].target}.")  # fmt: skip
    for item in gathered:
        why.append(f"{item.name} lists {item.to_class.target} by name: many-to-many, so no row is doubled; "
                   f"the bridge {item.bridge} keeps each pair.")  # fmt: skip
    return Dimension(name, entity, base, node.key or _referred(found, base), tuple(attributes),
    tuple(kept),
                     gathered, tuple(dict.fromkeys(why)))  # fmt: skip


def _referred(found: Found, base: str) -> tuple[str, ...]:
    """Without a primary key: the columns that the foreign keys refer to."""
    for hop in found.graph.children[base]:
        return hop.target_columns
    return (found.graph[base].table.columns[0].name,)


def _elsewhere(found: Found, plan: dims.Plan, node: Node) -> list[Hop]:
    """Links to another dimension that no fact shares in this role (the patient's own physician)."""
    folded = {path[0] for path in plan.folds[node.name]}
    shared = {path[-1] for paths in plan.links.values() for path in paths}
    if found.shapes[node.name] is Shape.HISTORY:
        return []
    return [hop for hop in node.links if hop.target in plan.bases and hop not in folded | shared]


def _names_at(node: Node, hop: Hop, prefix: str, taken: naming.Names) -> list[SourceColumn]:
    """What the row at the end of a link is called, under the role that it has here."""
    names = ("name", "firstname", "lastname", "fname", "lname", "surname")
    shown = tuple(c for c in node.columns(Use.PERSON) if node.said_of[c.name][-1] in names) or node.columns(
        Use.LABEL
    )
    return [SourceColumn(taken.take(_under(prefix, node.said_of[c.name])), c.name, (hop,)) for c in shown[:3]]


def _under(prefix: str, said: tuple[str, ...]) -> str:
    """`home_depot` and *depot name* → home_depot_name: a word is not said twice."""
    repeated = len(said) > 1 and said[0] == prefix.rpartition("_")[2]
    return words.snake([prefix, *said[repeated:]])


def _folded_columns(
    found: Found, base: str, path: Path, paths: tuple[Path, ...], taken: naming.Names
) -> list[SourceColumn]:
    hop = path[-1]
    node = found.graph[hop.target]
    twice = sum(1 for other in paths if other[-1].target == hop.target) > 1
    prefix = fold_prefix(found, path, twice)
    result = []
    onward = {
        other[len(path)].columns
        for other in paths
        if len(other) == len(path) + 1 and other[: len(path)] == path
    }
    for column in node.table.columns:
        use = node.uses[column.name]
        if use in LEFT_OUT or column.name in hop.target_columns:
            continue
        if use is Use.KEY and (
            column.name in node.key or column.type.kind is not Kind.STRING or (column.name,) not in onward
        ):
            continue
        bare = naming.column(node, column.name)
        full = naming.column(node, column.name, prefix)
        plain = (
            is_geo(node)
            and not twice
            and len(node.said_of[column.name]) >= 1
            and node.said_of[column.name] != ("name",)
        )
        first = bare if plain and bare != "name" and not bare.startswith("last_") else full
        result.append(
            SourceColumn(
                taken.take(first, full, f"{prefix}_{bare}"),
                column.name,
                path,
                note(node, column.name),
            )
        )
    return result


def fold_prefix(found: Found, path: Path, twice: bool = False) -> str:
    """What a folded table is called in front of its columns: its role, else its entity; with the roles on the
    way where the same table folds in more than once."""
    last = path[-1]
    own = naming.entity(found.graph[last.target])
    said = naming.role(last, found.graph[last.table], found.graph[last.target])
    prefix = said or own
    if said and not works_here(found, last):
        same = said.partition("_")[0] == own.partition("_")[0]
        head, _, tail = own.partition("_")
        met = f"{said}_{tail}" if tail and said.endswith(f"_{head}") else f"{said}_{own}"
        prefix = own if same else said if said.endswith(own) else met
    if twice and len(path) > 1:
        before = naming.role(path[0], found.graph[path[0].table], found.graph[path[0].target])
        head = before or naming.entity(found.graph[path[0].target])
        prefix = prefix if prefix.startswith(head) else f"{head}_{prefix}"
    return prefix


# --- facts ----------------------------------------------------------------------------------------------


def _fact(
    found: Found,
    plan: dims.Plan,
    table: str,
    named: dict[str, str],
    entities: dict[str, str],
    names: naming.Names,
) -> Fact:
    node = found.graph[table]
    hop = found.lines.get(table)
    one = naming.fact_entity(found.graph, node, found.graph[hop.target] if hop else None)
    name = names.take(f"fact_{naming.many(one)}", f"fact_{words.snake(node.said)}")
    links = _links(found, table, plan, named, entities)
    taken = naming.Names([link.name for link in links])
    dated = {column.name for column in node.dates}
    names_of = {c: taken.take(naming.column(node, c)) for c in node.key if c not in dated}
    headers = fact_columns.headers(found, table, plan)
    degenerate = fact_columns.degenerate(found, node, plan, taken)
    dates = fact_columns.dates(found, node, headers, taken)
    names_of |= {
        d.column: f"{d.name}_{'at' if d.has_time else 'date'}" for d in dates if not d.path and not d.text
    }
    names_of |= {c: taken.take(naming.column(node, c)) for c in node.key if c not in names_of}
    key = tuple(SourceColumn(names_of[c], c, (), note(node, c)) for c in node.key)
    units = [node, *(found.graph[path[-1].target] for path in plan.reached[table].joined)]
    measures = measures_of(found.graph, node, taken, dated=bool(dates), units=units)
    attributes = fact_columns.attributes(found, node, headers, taken)
    junk, attributes = junk_of(found.graph, node, one, attributes, names)
    joined = tuple(path for path in plan.reached[table].joined)
    return Fact(
        name, table, f"one row per {one.replace('_', ' ')}", key, joined, links, dates, degenerate,
        attributes, measures,
        found.scores.get(table, 0.0), _fact_why(found, plan, table, measures), junk,
    )  # fmt: skip


def _links(
    found: Found, table: str, plan: dims.Plan, named: dict[str, str], entities: dict[str, str]
) -> tuple[Link, ...]:
    paths = plan.links[table]
    taken = naming.Names()
    times: dict[str, int] = {}
    for path in paths:
        times[path[-1].target] = times.get(path[-1].target, 0) + 1
    result = []
    for path in paths:
        base = path[-1].target
        telling = next(
            (h for h in reversed(path) if naming.role(h, found.graph[h.table], found.graph[h.target])),
            path[-1],
        )
        said = naming.role(telling, found.graph[telling.table], found.graph[telling.target])
        entity = entities[base]
        person = works_here(found, telling) and said and said.rpartition("_")[2] not in ("by", "to", "for")
        if said and (times[base] > 1 or person):
            keyed = said if person or said.endswith(entity) else f"{said}_{entity}"
        else:
            keyed, said = entity, said if times[base] > 1 else ""
        through = naming.entity(found.graph[path[-1].table])
        result.append(
            Link(
                taken.take(f"{keyed}_key", f"{through}_{entity}_key"),
                named[base],
                path,
                said,
                plan.as_of.get((table, path)),
            )
        )
    return tuple(result)


def _own_headers(found: Found, table: str) -> set[str]:
    return {hop.target for hop in (found.lines.get(table), found.satellites.get(table)) if hop}


def _fact_why(found: Found, plan: dims.Plan, table: str, measures: tuple[Measure, ...]) -> tuple[str, ...]:
    why = list(found.why[table])
    if found.parts.get(table):
        why.append("Score: " + ", ".join(found.parts[table]) + ".")
    for path in plan.reached[table].joined:
        target = path[-1].target
        if found.absorbed.get(target) == table:
            why.append(
                f"{target} and {table} are one process: the grain is the line; keys, dates and status of "
                f"{target} fold in, its amounts do not (they would repeat on every line)."
            )
        elif target in _own_headers(found, table):
            why.append(
                f"Keys, dates and status of {target} fold in; its amounts stay with its own fact "
                "(they would repeat on every row)."
            )
        elif found.shapes[target] is Shape.PASS:
            why.append(f"{target} holds only keys: joined through to what it refers to.")
        else:
            why.append(f"{target} is an event of its own; this fact takes its keys, never its numbers.")
    why += link_reasons(found.graph, table)
    if not measures:
        why.append("No number to sum: a factless fact; its rows are counted.")
    return tuple(dict.fromkeys(why))


# --- bridges -------------------------------------------------------------------------------


def _bridge(
    found: Found,
    plan: dims.Plan,
    table: str,
    named: dict[str, str],
    entities: dict[str, str],
    names: naming.Names,
) -> Bridge:
    node = found.graph[table]
    ends = plan.bridges[table]
    links = []
    taken = naming.Names(["weight"])
    for hop in ends:
        if hop.target not in named:
            continue
        said = naming.role(hop, node, found.graph[hop.target])
        links.append(
            Link(
                taken.take(f"{entities[hop.target]}_key", f"{said}_{entities[hop.target]}_key"),
                named[hop.target],
                (hop,),
                said,
            )
        )
    shown = [c.name for c in node.table.columns if node.uses[c.name] not in LEFT_OUT]
    attributes = tuple(SourceColumn(taken.take(naming.column(node, c)), c, (), note(node, c)) for c in shown)
    name = names.take(f"bridge_{naming.many(naming.entity(node))}", f"bridge_{words.snake(node.said)}")
    why = [
        "Many-to-many: kept as a bridge, with a weight that adds up to 1 for each "
        f"{naming.entity(found.graph[ends[0].target]).replace('_', ' ')}; never joined to a fact without it."
    ]
    return Bridge(name, table, tuple(links), ends[0].columns, attributes, (*plan.why[table], *why))
