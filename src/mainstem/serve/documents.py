"""The JSON documents that the page reads, from what the served file was made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mainstem.catalog.port import Release
from mainstem.lineage.graph import Lineage
from mainstem.project.dashboard import Dashboard
from mainstem.project.header import Header
from mainstem.schema import MART, RAW, TableName
from mainstem.serve.cube import CubePlan, compile_cube, label_of
from mainstem.serve.spec import ColumnDoc, ModelDoc, ServeSpec, TableDoc

_LEVELS = ("off", "count", "changes", "full")

Document = dict[str, Any]


def release_document(release: Release) -> Document:
    """A release as the page names it."""
    published = release.published.astimezone(UTC)
    return {"id": release.id, "run": release.run, "published": _moment(published)}


def dashboard_list(spec: ServeSpec) -> list[Document]:
    """All dashboards, by name and title."""
    return [
        {"name": d.dashboard, "title": d.title or label_of(d.dashboard), "model": d.model}
        for d in spec.dashboards
    ]


def dashboard_document(
    spec: ServeSpec, dashboard: Dashboard, release: Release, cube: Mapping[str, Any], lineage: Lineage
) -> Document:
    """One dashboard with everything that the page needs besides its cube."""
    plan = compile_cube(dashboard, spec.headers, spec.types)
    header = spec.headers[dashboard.model]
    return {
        "name": dashboard.dashboard,
        "title": dashboard.title or label_of(dashboard.dashboard),
        "model": dashboard.model,
        "grain": header.grain.statement if header.grain else "",
        "release": release_document(release),
        "proof": proof_document(spec, TableName(MART, dashboard.model), lineage),
        "measures": _measures(plan),
        "dimensions": _dimensions(plan),
        "filters": {name: spec_.model_dump(mode="json") for name, spec_ in dashboard.filters.items()},
        "layout": [[_tile(tile.model_dump(mode="json")) for tile in row] for row in dashboard.layout],
        "cube": {"where": cube["where"], "cells": cube["cells"]},
    }


def _measures(plan: CubePlan) -> list[Document]:
    found = []
    for measure in plan.measures:
        entry: Document = {"name": measure.name, "label": measure.label, "kind": measure.kind}
        entry["format"] = measure.format
        if measure.of:
            entry["of"] = list(measure.of)
        found.append(entry)
    return found


def _dimensions(plan: CubePlan) -> list[Document]:
    found = []
    for dimension in plan.dimensions:
        entry: Document = {"name": dimension.name, "label": dimension.label, "kind": dimension.kind}
        found.append(entry | ({"grain": dimension.grain} if dimension.grain else {}))
    return found


def _tile(tile: Document) -> Document:
    """What the file says, without the fields that it leaves out."""
    return {k: _tile(v) if isinstance(v, dict) else v for k, v in tile.items() if v not in (None, "")}


def proof_document(spec: ServeSpec, table: TableName, lineage: Lineage) -> Document:
    """What a model's numbers were proven against. `holds` is true only if the model's own proofs and the
    loads of every table that it is made of hold; `level` is the weakest of those loads."""
    proof = spec.proof
    models = {str(m.get("table")): m for m in proof.get("models", [])}
    tables = {str(t.get("table")): t for t in proof.get("tables", [])}
    mine = models.get(str(table), {})
    parents = [str(name) for name in ancestors(table, lineage)]
    loads = [tables[name] for name in parents if name in tables]
    proofs = [one for name in (str(table), *parents) for one in models.get(name, {}).get("proofs", [])]
    failed = [str(one.get("text", "")) for one in (*proofs, *loads) if not one.get("holds", False)]
    levels = [str(load.get("proof", "off")) for load in loads]
    known = [level for level in levels if level in _LEVELS]
    level = min(known, key=_LEVELS.index) if known and len(known) == len(levels) else "off"
    proven = bool(mine) and bool(proofs)
    return {
        "holds": proven and not failed,
        "level": level,
        "text": _headline(mine, failed, proven),
        "checked": str(proof.get("finished", "")),
        "source": spec.source,
        "run": spec.run,
        "unmatched": [_unmatched(entry) for entry in mine.get("unmatched", [])],
    }


def _headline(mine: Mapping[str, Any], failed: list[str], proven: bool) -> str:
    if failed:
        return failed[0]
    if not proven:
        return "not proven"
    return str(mine.get("headline") or f"{int(mine.get('rows', 0)):,} rows")


def _unmatched(entry: Mapping[str, Any]) -> Document:
    wanted = ("dimension", "column", "rows")
    return {key: entry[key] for key in wanted if key in entry}


def proof_summary(spec: ServeSpec) -> Document:
    """The whole run's proof in a few words, for the current release."""
    entries = [
        *spec.proof.get("tables", []),
        *(p for m in spec.proof.get("models", []) for p in m.get("proofs", [])),
    ]
    failed = [str(one.get("text", "")) for one in entries if not one.get("holds", False)]
    loads = spec.proof.get("tables", [])
    text = f"{len(loads)} tables and {len(entries) - len(loads)} proofs of models"
    return {
        "holds": bool(entries) and not failed,
        "text": (failed[0] if failed else text) if entries else "not proven",
        "checked": str(spec.proof.get("finished", "")),
        "run": spec.run,
    }


def ancestors(table: TableName, lineage: Lineage) -> list[TableName]:
    """Every table that a model is made of, directly or not, in order of name."""
    found: set[TableName] = set()
    pending = [table]
    while pending:
        current = pending.pop()
        parents = {parent for parent, child in lineage.edges if child == current}
        pending.extend(parents - found)
        found |= parents
    return sorted(found - {table})


def lineage_document(spec: ServeSpec, lineage: Lineage) -> Document:
    """Nodes, edges and columns for the lineage page: the tables, and the dashboards that show them."""
    kinds = {str(doc.table): _kind(doc, spec.headers) for doc in spec.tables}
    for parent, child in lineage.edges:
        for name in (parent, child):
            kinds.setdefault(str(name), "table" if name.namespace == MART else "raw")
    edges = [[str(parent), str(child)] for parent, child in lineage.edges]
    for dashboard in spec.dashboards:
        node = f"dashboard.{dashboard.dashboard}"
        kinds[node] = "dashboard"
        edges += [[str(TableName(MART, model)), node] for model in _shown(dashboard)]
    return {
        "nodes": [{"id": name, "kind": kind} for name, kind in sorted(kinds.items())],
        "edges": edges,
        "columns": {str(name): [str(one) for one in found] for name, found in lineage.columns.items()},
    }


def _shown(dashboard: Dashboard) -> list[str]:
    """The models of which a dashboard shows columns: its fact, and the dimensions that it names."""
    named = [one.column.partition(".") for one in dashboard.dimensions.values()]
    return [dashboard.model, *sorted({table for table, dot, _ in named if dot} - {dashboard.model})]


def _kind(doc: TableDoc, headers: Mapping[str, Header]) -> str:
    if doc.namespace != MART:
        return doc.namespace
    return headers[doc.name].kind.value if doc.name in headers else "table"


def catalog_document(spec: ServeSpec) -> list[Document]:
    """Every table of the release with its columns: facts first, then dimensions, then the source's."""
    models = {model.name: model for model in spec.models}
    order = {"fact": 0, "bridge": 1, "dimension": 2, "table": 3}
    ranked = sorted(spec.tables, key=lambda doc: (order.get(_kind(doc, spec.headers), 4), doc.name))
    return [_table(doc, models.get(doc.name) if doc.namespace == MART else None, spec) for doc in ranked]


def _table(doc: TableDoc, model: ModelDoc | None, spec: ServeSpec) -> Document:
    header = model.header if model else None
    return {
        "table": str(doc.table),
        "kind": _kind(doc, spec.headers),
        # Whether the SQL page can read it.
        "served": doc.namespace == MART or (doc.namespace == RAW and spec.raw),
        "description": header.description if header else doc.comment,
        "rows": None if doc.rows < 0 else doc.rows,
        "bytes": None if doc.bytes < 0 else doc.bytes,
        # 64 bits: more than a browser's number holds.
        "snapshot": None if doc.snapshot is None else str(doc.snapshot),
        "grain": header.grain.statement if header and header.grain else "",
        "why": _why(header),
        "columns": [_column(column, header) for column in doc.columns],
        "sql": model.sql if model else "",
    }


def _why(header: Header | None) -> list[str]:
    if header is None:
        return []
    return [header.why] if isinstance(header.why, str) else list(header.why)


def _column(column: ColumnDoc, header: Header | None) -> Document:
    described, references = column.comment, ""
    if header and column.name in header.columns:
        described = header.columns[column.name].description
        references = header.columns[column.name].references
    elif header and column.name in header.measures:
        described = header.measures[column.name].description
    return {
        "name": column.name,
        "type": column.type,
        "native": column.native,
        "description": described,
        "nullable": column.nullable,
        "references": references,
    }


def find(dashboards: Iterable[Dashboard], name: str) -> Dashboard | None:
    """The dashboard of that name."""
    return next((one for one in dashboards if one.dashboard == name), None)


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
