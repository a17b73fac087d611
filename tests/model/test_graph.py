"""The order of models, its errors, and the grammar that selects them."""

from __future__ import annotations

import pytest

from mainstem.errors import UsageError
from mainstem.model.graph import Graph, Node, select, sound_graph
from mainstem.model.reading import Reference
from mainstem.schema import TableName
from support import mart, raw


def _node(name: str, *reads: str, tags: tuple[str, ...] = ()) -> Node:
    references = []
    for line, text in enumerate(reads, start=2):
        namespace, point, table = text.partition(".")
        references.append(Reference(TableName(namespace, table) if point else mart(text), line))
    return Node(mart(name), f"models/{name}.sql", tuple(references), tags)


@pytest.fixture
def graph() -> Graph:
    """raw.a, raw.b → stage → dim, fact → report; other reads raw.B alone."""
    found, errors = sound_graph(
        ["a", "b"],
        [
            _node("report", "fact", "dim", tags=("daily",)),
            _node("fact", "stage", "raw.b", tags=("money", "daily")),
            _node("dim", "stage"),
            _node("stage", "raw.a"),
            _node("other", "raw.B"),
        ],
    )
    assert errors == []
    return found


def test_each_table_comes_after_what_it_reads(graph: Graph) -> None:
    place = {name: index for index, name in enumerate(graph.order)}
    assert len(place) == 7
    for name in graph.nodes:
        assert all(place[parent] < place[name] for parent in graph.parents(name))


def test_case_is_no_difference(graph: Graph) -> None:
    assert graph.parents(mart("other")) == (raw("b"),)


def test_everything_above_and_below(graph: Graph) -> None:
    assert graph.ancestors([mart("fact")]) == {mart("stage"), raw("a"), raw("b")}
    assert graph.descendants([raw("a")]) == {mart("stage"), mart("dim"), mart("fact"), mart("report")}


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([_node("m", "raw.ordrs")],
         "models/m.sql:2: there is no source table raw.ordrs\n  → did you mean raw.orders?"),
        ([_node("m", "orders")], "models/m.sql:2: there is no model orders\n  → did you mean raw.orders?"),
        ([_node("dim_x"), _node("m", "raw.orders", "dim_y")],
         "models/m.sql:3: there is no model dim_y\n  → did you mean dim_x?"),
        ([_node("m", "m")], "models/m.sql:2: the models form a cycle: m reads m"),
        ([_node("a", "raw.orders", "b"), _node("b", "c"), _node("c", "a")],
         "models/a.sql:3: the models form a cycle: a reads b reads c reads a"),
    ],
)  # fmt: skip
def test_a_broken_graph_says_where(nodes: list[Node], said: str) -> None:
    error = sound_graph(["orders", "lines"], nodes)[1][0]
    assert str(error).rstrip("?").startswith(said.rstrip("?"))


def test_all_unknown_tables_come_at_once() -> None:
    assert len(sound_graph([], [_node("m", "raw.a", "b"), _node("n", "raw.c")])[1]) == 3


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("fact", "fact"),
        ("mart.fact", "fact"),
        ("FACT", "fact"),
        ("raw.a", "raw.a"),
        ("+fact", "fact stage raw.a raw.b"),
        ("1+fact", "fact stage raw.b"),
        ("2+fact", "fact stage raw.a raw.b"),
        ("0+fact", "fact"),
        ("stage+", "stage dim fact report"),
        ("stage+1", "stage dim fact"),
        ("+stage+", "raw.a stage dim fact report"),
        ("1+fact+1", "fact stage raw.b report"),
        ("tag:daily", "report fact"),
        ("tag:daily,tag:money", "fact"),
        ("+tag:money", "fact stage raw.a raw.b"),
        ("tag:daily other", "report fact other"),
        ("stage+,+fact", "stage fact"),
        ("dim,fact", ""),
        ("raw.*", "raw.a raw.b"),
        ("d?m", "dim"),
        ("*", "dim fact other report stage raw.a raw.b"),
        ("mart.*", "dim fact other report stage"),
        ("state:modified", "dim"),
        ("state:modified+", "dim report"),
        ("+state:modified", "dim stage raw.a"),
    ],
)
def test_selection(graph: Graph, items: str, expected: str) -> None:
    found = select(graph, [items], [], {mart("dim")})
    names = {str(name).removeprefix("mart.") for name in found}
    if items == "*":
        names |= {"raw.a", "raw.b"} & {str(name) for name in select(graph, ["raw.*"], [], set())}
    assert names == set(expected.split())


def test_several_items_add_up_and_exclude_takes_away(graph: Graph) -> None:
    assert select(graph, ["dim", "fact"], [], set()) == {mart("dim"), mart("fact")}
    assert select(graph, [], [], set()) == set(graph.nodes)
    assert select(graph, ["+fact"], ["raw.*"], set()) == {mart("fact"), mart("stage")}
    assert select(graph, [], ["stage+", "raw.*"], set()) == {mart("other")}


def test_nothing_modified_selects_nothing(graph: Graph) -> None:
    assert select(graph, ["state:modified+"], [], set()) == set()


@pytest.mark.parametrize(
    ("item", "hint"),
    [("fakt", "did you mean fact?"), ("raw.c", "did you mean"), ("tag:monye", "did you mean tag:money"),
     ("x*y", "tables: "),
     ("+", ""), ("state:new", "")],
)  # fmt: skip
def test_a_selection_that_names_nothing_is_an_error(graph: Graph, item: str, hint: str) -> None:
    with pytest.raises(UsageError, match="names no table") as caught:
        select(graph, [item], [], set())
    assert hint in caught.value.hint
    with pytest.raises(UsageError):
        select(graph, [], [item], set())
