"""The served file of a release: made before the release is published, so that readers never wait for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mainstem import metadata, wiring
from mainstem.errors import LakeUnavailable
from mainstem.lake import Lake, Release, TableVersion
from mainstem.project.load import Project
from mainstem.run import receipt as receipts
from mainstem.schema import TableName
from mainstem.serve import bundle
from mainstem.serve.spec import ModelDoc, ServeSpec, TableDoc


def spec_of(
    project: Project, run: str, tables: Mapping[TableName, TableVersion], proof: Mapping[str, Any]
) -> ServeSpec:
    """What the served file of a run is made of. `proof` is the receipt as plain values."""
    docs = [
        TableDoc.of(
            name, version.columns, rows=version.rows, size=version.bytes, snapshot=version.snapshot_id
        )
        for name, version in sorted(tables.items())
    ]
    present = {name.name for name in tables if name.namespace == "mart"}
    return ServeSpec(
        run=run,
        tables=docs,
        models=[
            ModelDoc(name=model.name, header=model.header, sql=model.sql, file=model.file)
            for model in project.models
            if model.name in present
        ],
        dashboards=[one.spec for one in project.dashboards if one.spec.model in present],
        proof=dict(proof),
        source=", ".join(dict(proof.get("sources") or {}).values()),
    )


def build(
    lake: Lake, spec: ServeSpec, tables: Mapping[TableName, str], last: Release | None = None
) -> bundle.Built:
    """Make the served file from versions of tables, given by their metadata locations. What the one of the
    `last` release has already is taken over."""
    connect = lambda: wiring.connect_tables(tables, locked=False)  # noqa: E731
    return bundle.build(lake.root, spec, connect, lake=_files(tables), last=_last(lake, last))


def _files(tables: Mapping[TableName, str]) -> dict[TableName, tuple[Path, ...]]:
    return {name: metadata.load(location).files or () for name, location in tables.items()}


def _last(lake: Lake, release: Release | None) -> bundle.Last | None:
    """The served file of a release with what it was made of; None if there is none that can be used."""
    if release is None:
        return None
    pins = {name: pin.metadata_location for name, pin in release.tables.items()}
    with suppress(LakeUnavailable, ValidationError):
        path, spec = bundle.find(lake.root, release.run), bundle.stored_spec(lake.root, release.run)
        if path and spec and _snapshots(spec) == {n: p.snapshot_id for n, p in release.tables.items()}:
            return bundle.Last(path, spec, _files(pins))
    return None


def _snapshots(spec: ServeSpec) -> dict[TableName, int | None]:
    return {doc.table: doc.snapshot for doc in spec.tables}


def refresh(project: Project, lake: Lake, release: Release) -> bool:
    """Make the current release's served file again if dashboards or headers have changed since. True if
    it was made."""
    stored = bundle.stored_spec(lake.root, release.run)
    tables = {name: lake.at(name, pin.metadata_location) for name, pin in release.tables.items()}
    proof = stored.proof if stored else _receipt(lake, release)
    wanted = spec_of(project, release.run, tables, proof)
    if stored is not None and _same(stored, wanted) and bundle.find(lake.root, release.run):
        return False
    build(lake, wanted, {name: pin.metadata_location for name, pin in release.tables.items()})
    return True


def rebuild(project: Project, lake: Lake, release: Release) -> bundle.Built:
    """Make the served file of a release whose file is gone, as it was."""
    spec = bundle.stored_spec(lake.root, release.run)
    if spec is None:
        tables = {name: lake.at(name, pin.metadata_location) for name, pin in release.tables.items()}
        spec = spec_of(project, release.run, tables, _receipt(lake, release))
    return build(lake, spec, {name: pin.metadata_location for name, pin in release.tables.items()})


def clean(project: Project, lake: Lake) -> None:
    """Forget old releases, then delete what nobody can reach any more: files of the lake and served
    files. The caller holds the run lock."""
    lake.clean(keep_releases=project.config.keep_releases)
    bundle.clean(lake.root, {release.run for release in lake.releases()})


def _receipt(lake: Lake, release: Release) -> dict[str, Any]:
    every = receipts.read_all(lake.root)
    return next((value for value in every if value["run"] == release.run), {})


def _same(stored: ServeSpec, wanted: ServeSpec) -> bool:
    def plain(spec: ServeSpec) -> str:
        value = spec.model_dump(mode="json", include={"models", "dashboards"})
        return json.dumps(value, sort_keys=True)

    return plain(stored) == plain(wanted)
