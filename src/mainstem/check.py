"""Every error of the user's files, at its file and line, all at once, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from mainstem.contract.rules import Rule
from mainstem.engine.binder import Binder, Fault
from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.graph import sound_part
from mainstem.ingest.terms import history_columns, terms_of
from mainstem.model.sql import parse_query
from mainstem.project.load import FILE, Project
from mainstem.schema import HISTORY, MART, RAW, Column, Database, Table, TableName
from mainstem.serve.cube import compile_cube
from mainstem.text import nearest, quoted
from mainstem.transform.check import check_models


def check_project(project: Project, databases: Mapping[str, Database]) -> None:
    """Check files, references, SQL, headers and dashboards against the sources' tables.

    What reads a broken model is not reported as well. Raises ConfigErrors.
    """
    tables = {TableName(RAW, t.name): t.columns for d in databases.values() for t in d.tables}
    histories = _histories(project, databases)
    errors = list(project.errors) + contract_errors(project, databases)
    graph, found = sound_part(
        project, [name.name for name in tables], project.broken, [name.name for name in histories]
    )
    errors += found
    sound = [model for model in project.models if TableName(MART, model.name) in graph.nodes]
    try:
        check_models(graph, sound, {**tables, **histories})
    except ConfigErrors as error:
        errors += error.errors
    errors += _dashboard_errors(project)
    if errors:
        raise ConfigErrors(errors)


def _histories(project: Project, databases: Mapping[str, Database]) -> dict[TableName, tuple[Column, ...]]:
    found = {}
    for source, database in databases.items():
        for table in database.tables:
            history = terms_of(project.table(source, table.name), table).history
            if history:
                found[TableName(HISTORY, table.name)] = history_columns(table, history)
    return found


def contract_errors(project: Project, databases: Mapping[str, Database]) -> list[UsageError]:
    """Rules that DuckDB does not understand for the table that they are about, each at its line."""
    errors: list[UsageError] = []
    for source, database in databases.items():
        for table in database.tables:
            config = project.table(source, table.name).contract
            contract = config.contract(table) if config else None
            if config is None or contract is None:
                continue
            place = ("sources", source, "tables", table.name, "contract")
            with Binder() as binder:
                binder.add_table(TableName(RAW, table.name), table.columns)
                for rule in contract.rules:
                    fault = None if rule.across else _fault(binder, table, rule)
                    if fault:
                        at = (*place, "columns", rule.column) if rule.column else (*place, "expression")
                        line = project.document.line(at)
                        columns = [column.name for column in table.columns]
                        hint = nearest(fault.column, columns, "columns") if fault.column else fault.hint
                        message = f"{table.name}: {rule}: {fault.message}"
                        errors.append(UsageError(message, where=Where(FILE, line), hint=hint))
    return errors


def _fault(binder: Binder, table: Table, rule: Rule) -> Fault | None:
    """A rule is about one row: no other table, nothing that counts rows."""
    head = f"select 1 from {quoted(RAW, table.name)} where"
    try:
        query = parse_query(f"{head} {rule.condition or rule.broken}", FILE, 1)
    except UsageError as error:
        return Fault(error.message, 1, error.hint)
    if len(list(query.find_all(exp.Select))) > 1:
        return Fault("a rule speaks of one row of its own table", 1, "no SELECT in it")
    fault = binder.check(f"{head} {rule.broken}")
    trials = [rule.trial] if rule.trial else []
    # Constants are compared as the column's type: a date that is none would end the load.
    trials += [f"cast({c} as {table.column(rule.column).type})" for c in rule.constants if c[:1] == "'"]
    return fault or next((found for trial in trials if (found := binder.compute(trial))), None)


def _dashboard_errors(project: Project) -> list[UsageError]:
    headers = {model.name: model.header for model in project.models}
    errors: list[UsageError] = []
    for dashboard in project.dashboards:
        if dashboard.spec.model in project.broken:
            continue
        try:
            compile_cube(dashboard.spec, headers, None, dashboard.document)
        except ConfigErrors as error:
            errors += error.errors
    return errors
