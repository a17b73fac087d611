"""A project's models as a graph over its sources' tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from mainstem.contract.model_checks import table_name
from mainstem.errors import ConfigErrors, UsageError
from mainstem.model.graph import Graph, Node, sound_graph
from mainstem.model.reading import Reading, Reference
from mainstem.project.load import Project
from mainstem.project.modelfile import ModelFile
from mainstem.schema import MART, TableName

Readings = Mapping[str, Reading]
"""What is known of the models' SQL, by the model's name."""
NONE_KNOWN: Readings = MappingProxyType({})


def reading_of(model: ModelFile, known: Readings = NONE_KNOWN) -> Reading:
    """What the model's SQL says; from `known` if it is there. Raises UsageError with file and line."""
    found = known.get(model.name)
    if found is None:
        from mainstem.model.read import read_sql  # SQLGlot takes long to start, and is not always needed

        found = read_sql(model.sql, model.file, model.sql_line, tuple(model.header.key))
    return found


def project_graph(
    project: Project,
    tables: Collection[str],
    histories: Collection[str] = (),
    known: Readings = NONE_KNOWN,
) -> Graph:
    """The graph of a project's models over source tables, some of them with a history. Raises ConfigErrors
    with all errors."""
    graph, errors = sound_part(project, tables, (), histories, known)
    if errors:
        raise ConfigErrors(errors)
    return graph


def sound_part(
    project: Project,
    tables: Collection[str],
    broken: Collection[str] = (),
    histories: Collection[str] = (),
    known: Readings = NONE_KNOWN,
) -> tuple[Graph, list[UsageError]]:
    """The part of the graph that stands, and the errors of the rest; `broken` are models whose files could
    not be read."""
    nodes, errors = [], list[UsageError]()
    lost = {TableName(MART, name) for name in broken}
    for model in project.models:
        name = TableName(MART, model.name)
        try:
            found = (*reading_of(model, known).references, *_promised(model))
        except UsageError as error:
            errors.append(error)
            lost.add(name)
            continue
        nodes.append(Node(name, model.file, found, tuple(model.header.tags)))
    graph, more = sound_graph(tables, nodes, lost, histories)
    return graph, errors + more


def _promised(model: ModelFile) -> list[Reference]:
    """Tables that the header's promises speak of: they must stand before the model is proven. (A dimension
    may refer to itself: an employee's manager.)"""
    found = []
    for column, spec in model.header.columns.items():
        if spec.references:
            dimension = spec.references.rpartition(".")[0].removeprefix(f"{MART}.")
            if dimension.casefold() == model.name.casefold():
                continue
            line = model.where("columns", column, "references").line
            found.append(Reference(TableName(MART, dimension), line))
    if model.header.grain:
        found.append(Reference(table_name(model.header.grain.table), model.where("grain", "table").line))
    return found
