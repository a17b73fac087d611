"""From a model's header, or from foreign keys where it is silent, to what the model promises. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from mainstem.contract.model_checks import Declared, Promise, Reference, table_name
from mainstem.model.grain import infer_grain, row_tables
from mainstem.model.sql import parse_query
from mainstem.project.header import Check, ModelKind, Severity
from mainstem.project.modelfile import ModelFile
from mainstem.schema import Table

_FACT_PREFIXES = ("fact_", "fct_")


@dataclass(frozen=True, slots=True)
class Context:
    """What is known around a model: source tables by lake name, all models by name, the columns of the
    model's result."""

    tables: Mapping[str, Table]
    models: Mapping[str, ModelFile]
    columns: tuple[str, ...]
    rows_before: int = 0


def is_fact(model: ModelFile) -> bool:
    """Whether a model is a fact, by its header or by the convention of its name."""
    return model.header.kind is ModelKind.FACT or model.name.lower().startswith(_FACT_PREFIXES)


def promise_of(model: ModelFile, context: Context) -> Promise:
    """What the model promises. A fact without a declared grain gets the one that its foreign keys say."""
    header = model.header
    grain = table_name(header.grain.table).name if header.grain else _inferred(model, context)
    key = tuple(header.key)
    if not key and grain and header.grain is None:
        key = _same_names(context.tables[grain].primary_key, context.columns)
    return Promise(
        name=model.name,
        key=key,
        grain=grain,
        where=header.grain.where if header.grain else "",
        sums={name: m.equals for name, m in header.measures.items() if m.equals},
        references=tuple(_references(model, context.models)),
        declared=tuple(_declared(header.checks)),
        rows_before=context.rows_before,
    )


def _declared(checks: Iterable[Check]) -> Iterable[Declared]:
    for check in checks:
        warning = check.severity is Severity.WARN
        if check.not_null:
            yield Declared(not_null=tuple(check.not_null), warning=warning)
        if check.unique:
            yield Declared(unique=tuple(check.unique), warning=warning)
        for column, values in check.accepted_values.items():
            yield Declared(accepted=(column, tuple(str(value) for value in values)), warning=warning)
        if check.sql:
            yield Declared(sql=check.sql, warning=warning)


def _inferred(model: ModelFile, context: Context) -> str:
    if not is_fact(model):
        return ""
    by_fold = {name.casefold(): name for name in context.tables}
    read = rows_of_model(model, context.models)
    return infer_grain((by_fold.get(name.casefold(), "") for name in read), context.tables) or ""


def rows_of_model(model: ModelFile, models: Mapping[str, ModelFile]) -> frozenset[str]:
    """The source tables whose rows arrive one by one in a model's result, through other models too."""
    by_fold = {one.name.casefold(): one for one in models.values()}

    def query_of(name: str) -> exp.Query | None:
        other = by_fold.get(name.casefold())
        return parse_query(other.sql, other.file, other.sql_line) if other else None

    return row_tables(parse_query(model.sql, model.file, model.sql_line), query_of)


def _same_names(wanted: tuple[str, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    """The result columns that carry the names `wanted`, without regard to case and underscores."""
    by_fold = {column.replace("_", "").casefold(): column for column in columns}
    found = [by_fold.get(name.replace("_", "").casefold(), "") for name in wanted]
    return tuple(found) if all(found) else ()


def _references(model: ModelFile, models: Mapping[str, ModelFile]) -> Iterable[Reference]:
    for column, spec in model.header.columns.items():
        if spec.references:
            dimension, _, key = spec.references.rpartition(".")
            dimension = dimension.removeprefix("mart.")
            other = models.get(dimension)
            yield Reference(column, dimension, key, other.header.unknown if other else "missing")
