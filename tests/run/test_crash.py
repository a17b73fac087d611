"""kill -9 at every named point: readers keep a whole release, the next run goes well, nothing is doubled."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from pyiceberg.table import StaticTable

from kills import LATER, POINTS, in_a_process
from mainstem.project.load import load_project
from mainstem.wiring import open_lake
from support import ask, execute_sql, make_project, run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all points: each test changes the source, and leaves a project in order."""
    root = make_project(tmp_path_factory.mktemp("crash") / "p")
    assert run(root).status == "published"
    return root


def test_every_point_is_known() -> None:
    assert len(POINTS) >= 17


def test_without_the_variable_nothing_happens(project: Path) -> None:
    assert in_a_process(project, "") == 0


@pytest.mark.parametrize("point", [*POINTS, *LATER])
def test_killed(project: Path, point: str) -> None:
    state = load_project(project).state
    lake = open_lake(load_project(project))
    before = lake.current_release()
    assert before is not None
    old = _truth(project)
    execute_sql(
        project / "shop.db",
        "insert into order_lines select 14, max(line_number) + 1, 'car', 2, 10.00 from order_lines",
    )

    assert in_a_process(project, point) == -signal.SIGKILL, "the fault did not fire"

    # Readers: the release of before, whole; or the new one, whole, if it was published already.
    release = lake.current_release()
    assert release is not None
    rows, total = _truth(project)
    new = (old[0] + 1, old[1] + 20)
    assert (rows, total) == (old if release.id == before.id else new)
    if "publish" not in point:
        assert release.id == before.id

    # The next run.
    ran = run(project, clean=False)
    assert not ran.messages
    assert _truth(project) == new
    assert ask(
        project, "select count(*), count(distinct (order_number, line_number)) from raw.order_lines"
    ) == [(new[0], new[0])]
    assert len({one.id for one in lake.releases()}) == len(lake.releases())

    # Nothing is left over: what stands is what heads and releases refer to.
    lake.clean(keep_releases=1, older_than=timedelta(0))
    tables = {name: head for name in lake.tables() if (head := lake.head(name)) is not None}
    assert {str(path) for path in (state / "lake").rglob("*.parquet")} == {
        file.file.file_path.removeprefix("file://")
        for head in tables.values()
        for file in StaticTable.from_metadata(head.metadata_location).scan().plan_files()
    }
    assert len(list((state / "lake").rglob("*.metadata.json"))) == len(tables)
    assert not list((state / "runs").glob("*.part"))
    assert run(project).status == "unchanged"


def _truth(root: Path) -> tuple[int, int]:
    """Rows and amount of the current release, from raw and from the fact: they must say the same."""
    ((rows, total),) = ask(root, "select count(*), sum(amount) from fact_lines")
    assert [(rows, total)] == ask(root, "select count(*), sum(quantity * price) from raw.order_lines")
    return rows, total
