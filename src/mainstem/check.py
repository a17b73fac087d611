"""Every error of the user's files, at its file and line, all at once, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from mainstem.errors import ConfigErrors, UsageError
from mainstem.plan import sound_part
from mainstem.project.load import Project
from mainstem.schema import MART, RAW, Database, TableName
from mainstem.serve.cube import compile_cube
from mainstem.transform.check import check_models


def check_project(project: Project, databases: Mapping[str, Database]) -> None:
    """Check files, references, SQL, headers and dashboards against the sources' tables.

    What reads a broken model is not reported as well. Raises ConfigErrors.
    """
    tables = {TableName(RAW, t.name): t.columns for d in databases.values() for t in d.tables}
    errors = list(project.errors)
    graph, found = sound_part(project, [name.name for name in tables], project.broken)
    errors += found
    sound = [model for model in project.models if TableName(MART, model.name) in graph.nodes]
    try:
        check_models(graph, sound, tables)
    except ConfigErrors as error:
        errors += error.errors
    errors += _dashboard_errors(project)
    if errors:
        raise ConfigErrors(errors)


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
