"""Every error of every model, before anything runs: SQL that does not bind, headers that promise what
the result does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainstem.contract.model_checks import table_name
from mainstem.engine.binder import Binder, Fault
from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.model.graph import Graph
from mainstem.project.modelfile import ModelFile
from mainstem.schema import MART, RAW, Column, TableName
from mainstem.text import nearest, quoted

Columns = tuple[str, ...]


def check_models(
    graph: Graph, models: Iterable[ModelFile], tables: Mapping[TableName, tuple[Column, ...]]
) -> dict[TableName, Columns]:
    """Bind all models in order over the source tables' columns; the result columns by model.

    Raises ConfigErrors with all errors, each at its file and line. A model that reads a broken one is
    not reported as well.
    """
    files = {TableName(MART, model.name): model for model in models}
    errors: list[UsageError] = []
    found: dict[TableName, Columns] = {}

    def raw(name: TableName) -> list[str]:
        return [column.name for column in tables.get(name, ())]

    with Binder() as binder:
        for name, columns in tables.items():
            binder.add_table(name, columns)
        for name in graph.order:
            if name not in files:
                continue
            if any(parent in files and parent not in found for parent in graph.parents(name)):
                continue
            model = files[name]
            result = binder.add_query(name, model.sql)
            if isinstance(result, Fault):
                known = {
                    column
                    for parent in graph.parents(name)
                    for column in (*found.get(parent, ()), *raw(parent))
                }
                hint = result.hint or (nearest(result.column, known, "columns") if result.column else "")
                where = Where(model.file, model.sql_line + result.line - 1)
                errors.append(UsageError(result.message, where=where, hint=hint))
                continue
            found[name] = result
            errors.extend(_twins(model, result))
            errors.extend(_header_errors(model, result, found, binder))
    if errors:
        raise ConfigErrors(errors)
    return found


def _error(fault: Fault, where: Where) -> UsageError:
    return UsageError(fault.message, where=where, hint=fault.hint)


def _twins(model: ModelFile, columns: Columns) -> list[UsageError]:
    places: dict[str, int] = {}
    errors = []
    for place, name in enumerate(columns, start=1):
        first = places.setdefault(name.casefold(), place)
        if first != place:
            names = " and ".join(dict.fromkeys((columns[first - 1], name)))
            message = f"the SELECT returns two columns {names}"
            hint = f"the {first}. and the {place}.: give one of them another name"
            errors.append(UsageError(message, where=Where(model.file, model.sql_line), hint=hint))
    return errors


def _header_errors(
    model: ModelFile, columns: Columns, found: Mapping[TableName, Columns], binder: Binder
) -> list[UsageError]:
    header = model.header
    present = {column.casefold() for column in columns}
    errors = []

    def missing(name: str, *path: str | int) -> None:
        if name.casefold() not in present:
            message = f"the header speaks of a column {name}, which the SELECT does not return"
            errors.append(
                UsageError(message, where=model.where(*path), hint=nearest(name, columns, "columns"))
            )

    for index, name in enumerate(header.key):
        missing(name, "key", index)
    for name in header.columns:
        missing(name, "columns", name)
    for name in header.measures:
        missing(name, "measures", name)
    for index, check in enumerate(header.checks):
        for name in (*check.not_null, *check.unique, *check.accepted_values):
            missing(name, "checks", index)
    errors.extend(_expression_errors(model, binder))
    errors.extend(_reference_errors(model, found))
    return errors


def _expression_errors(model: ModelFile, binder: Binder) -> list[UsageError]:
    header, errors = model.header, []
    probes: list[tuple[str, Where]] = []
    if header.grain is None:
        for name, measure in header.measures.items():
            if measure.equals:
                message = "`equals` needs a grain: it is an expression over the grain table"
                errors.append(UsageError(message, where=model.where("measures", name, "equals")))
    else:
        table = table_name(header.grain.table)
        if table.namespace != RAW:
            message = f"the grain is a source table (raw.TABLE), not {header.grain.table}"
            return [UsageError(message, where=model.where("grain", "table"))]
        source = quoted(*table)
        if header.grain.where:
            probes.append(
                (f"select 1 from {source} where {header.grain.where}", model.where("grain", "where"))
            )
        probes += [
            (f"select sum({measure.equals}) from {source}", model.where("measures", name, "equals"))
            for name, measure in header.measures.items()
            if measure.equals
        ]
    for index, check in enumerate(header.checks):
        if check.sql:
            probes.append((check.sql, model.where("checks", index, "sql")))
    for sql, where in probes:
        fault = binder.check(sql)
        if fault:
            errors.append(_error(fault, where))
    return errors


def _reference_errors(model: ModelFile, found: Mapping[TableName, Columns]) -> list[UsageError]:
    errors = []
    for column, spec in model.header.columns.items():
        if not spec.references:
            continue
        dimension, _, key = spec.references.rpartition(".")
        target = next(
            (n for n in found if n.name.casefold() == dimension.removeprefix("mart.").casefold()), None
        )
        known = found.get(target, ()) if target else ()
        if known and key.casefold() not in {name.casefold() for name in known}:
            message = f"{dimension} has no column {key}"
            where = model.where("columns", column, "references")
            errors.append(UsageError(message, where=where, hint=nearest(key, known, "columns")))
    return errors
