"""A project as a DAG of Airflow 3: one task a step of the plan, and one that publishes.

Each step commits to the lake and publishes nothing (`run --hold`); the last one goes through the whole
project in one snapshot of each source, takes over what still holds, and publishes one release or none
(`run --resume`). The file calls the command line and never imports Mainstem: the two need not agree on a
single dependency.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from mainstem import __version__
from mainstem.ingest.cursor import TIMES, increment_of
from mainstem.plan import IngestStep, Plan
from mainstem.project.load import Project
from mainstem.project.requirements import Requirement
from mainstem.schema import MART, TableName

DAILY = "0 3 * * *"
_WORDS = {"hourly": "0 * * * *", "daily": DAILY, "weekly": "0 3 * * 1", "monthly": "0 3 1 * *"}
_MINUTES = {"hourly": 60, "daily": 1440, "weekly": 7 * 1440, "monthly": 30 * 1440}
_EVERY = re.compile(r"(?:every )?(\d+) ?(min|minutes?|h|hours?)")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression, and the words of requirements that could not be understood."""

    cron: str
    unread: tuple[str, ...] = ()


def schedule_of(requirements: Iterable[Requirement]) -> Schedule:
    """As often as the most demanding requirement asks (`fresh`: hourly, daily, weekly, monthly, 15 minutes, 6
    hours); daily if none says."""
    found: list[tuple[int, str]] = []
    unread = []
    for text in (one.fresh.strip().lower() for one in requirements if one.fresh.strip()):
        known = (_MINUTES[text], _WORDS[text]) if text in _WORDS else _every(text)
        if known:
            found.append(known)
        else:
            unread.append(text)
    return Schedule(min(found)[1] if found else DAILY, tuple(unread))


def _every(text: str) -> tuple[int, str] | None:
    match = _EVERY.fullmatch(text)
    if not match:
        return None
    number, hours = int(match[1]), match[2].startswith("h")
    if not number or (24 if hours else 60) % number:
        return None  # cron starts counting anew each hour and each day
    minutes = "0" if hours or number == 60 else f"*/{number}" if number > 1 else "*"
    return number * (60 if hours else 1), f"{minutes} {f'*/{number}' if hours and number > 1 else '*'} * * *"


def dag_id(project: Project) -> str:
    """The project's name as Airflow takes it."""
    return _identifier(project.name)


def dag(plan: Plan, project: Project, cron: str, start: date) -> str:
    """The DAG's file. `start` is the first day for which it is run (at midnight, UTC)."""
    tables = [step.name for step in plan.ingest] + [step.name for step in plan.models]
    names = _task_names(tables)
    read = {name for model in plan.models for name in model.inputs}
    timed = {step.name for step in plan.ingest if _has_time_cursor(step, project)}
    lines = [f"    {names[name]} = {_step(name, names[name], interval=name in timed)}" for name in tables]
    needs = []
    for model in plan.models:
        inputs = [names[name] for name in model.inputs if name in names]
        if inputs:
            needs.append(f"    {_listed(inputs)} >> {names[model.name]}")
    last = _listed([names[name] for name in tables if name not in read])
    outlets = "".join(
        f"            Asset({_text(f'mainstem://{dag_id(project)}/{_identifier(model.name.name)}')}),\n"
        for model in plan.models
    )
    return _FILE.format(
        project=project.name.replace("\\", " ").replace('"', " "),
        version=__version__,
        root=_text(str(project.root)),
        dag_id=_text(dag_id(project)),
        cron=_text(cron),
        start=f"{start.year}, {start.month}, {start.day}",
        steps="\n".join(lines),
        needs="\n".join([*needs, f"    {last} >> publish"]),
        outlets=outlets,
    )


def _has_time_cursor(step: IngestStep, project: Project) -> bool:
    increment = increment_of(project.table(step.source, step.table.name), step.table)
    return increment is not None and step.table.column(increment.cursor).type.kind in TIMES


def _task_names(tables: Iterable[TableName]) -> Mapping[TableName, str]:
    """A Python name for each table, none twice."""
    names: dict[TableName, str] = {}
    for table in tables:
        base = _identifier(table.name if table.namespace == MART else f"{table.namespace}_{table.name}")
        base = f"t_{base}" if base[0].isdigit() or base in _TAKEN else base
        name, number = base, 2
        while name in names.values():
            name, number = f"{base}_{number}", number + 1
        names[table] = name
    return names


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", text) or "_"


def _step(name: TableName, task: str, *, interval: bool) -> str:
    """The call that makes the task. A character with a meaning in a selection, or that Airflow does not take
    in a name, is selected by the pattern that stands for any character."""
    selected = re.sub(r"[^\w.-]", "?", str(name))
    more = f", task_id={_text(task)}" if "?" in selected else ""
    return f"step({_text(selected)}{more}{', interval=True' if interval else ''})"


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(names: list[str]) -> str:
    one = f"[{', '.join(names)}]"
    if len(one) <= 90:
        return names[0] if len(names) == 1 else one
    return "[\n" + "".join(f"        {name},\n" for name in names) + "    ]"


_TAKEN = {
    "Asset", "BaseOperator", "DAG", "MAINSTEM", "Mainstem", "PROJECT", "False", "None", "True", "and", "as",
    "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
    "finally", "for", "from", "global", "if", "import", "in", "is", "json", "lambda", "nonlocal", "not", "or",
    "os", "pass", "publish", "raise", "return", "shlex", "step", "subprocess", "timedelta", "timezone", "try",
    "while", "with", "yield", "datetime", "annotations", "INTERVAL", "dag",
}  # fmt: skip

_FILE = '''"""{project}: one task a step of the plan. Each commits to the lake and publishes nothing; the last
one compares everything with its source once more, in one snapshot, and publishes one release or none.

Written by `mainstem export airflow` (Mainstem {version}); yours to edit. It calls the command line of
Mainstem, which may be installed in an environment of its own: MAINSTEM_COMMAND. Each task sees the worker's
environment, so that the sources' URLs can stand there.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, Asset, BaseOperator, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

PROJECT = os.environ.get("MAINSTEM_PROJECT_DIR", {root})
MAINSTEM = shlex.split(os.environ.get("MAINSTEM_COMMAND", "mainstem"))
# Rows of tables with a cursor whose time lies in the run's interval are read again: catching up repairs them.
INTERVAL = [
    "--since={{{{ data_interval_start | default('', true) }}}}",
    "--until={{{{ data_interval_end | default('', true) }}}}",
]


class Mainstem(BaseOperator):
    """`mainstem run` with some arguments. Exit codes 2 (configuration) and 3 (a check or proof failed) are
    final: trying again changes nothing. Others (4: a source or the lake is not available) are tried again."""

    template_fields = ("arguments",)
    process: subprocess.Popen[str] | None = None

    def __init__(self, *, arguments: list[str], **more) -> None:
        super().__init__(**more)
        self.arguments = arguments

    def execute(self, context) -> None:
        command = [*MAINSTEM, "-C", PROJECT, "run", *self.arguments]
        print(shlex.join(command), flush=True)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=None, text=True)
        told, _ = self.process.communicate()
        print(told, flush=True)
        if self.process.returncode in (2, 3):
            raise AirflowFailException(f"exit code {{self.process.returncode}}: see the log above")
        if self.process.returncode:
            raise RuntimeError(f"exit code {{self.process.returncode}}: see the log above")
        if "--output=json" in self.arguments and json.loads(told)["status"] == "unchanged":
            raise AirflowSkipException("no new release: nothing changed")

    def on_kill(self) -> None:
        if self.process is not None:
            self.process.terminate()


def step(select: str, *, task_id: str = "", interval: bool = False) -> Mainstem:
    arguments = ["--hold", "--name={{{{ run_id }}}}", f"--select={{select}}", "--wait=3600"]
    return Mainstem(task_id=task_id or select, arguments=[*arguments, *(INTERVAL if interval else [])])


with DAG(
    dag_id={dag_id},
    schedule=CronDataIntervalTimetable({cron}, timezone="UTC"),
    start_date=datetime({start}, tzinfo=timezone.utc),
    catchup=True,
    max_active_runs=1,
    max_active_tasks=1,  # the project's lake has one writer at a time
    default_args={{
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
    }},
    tags=["mainstem"],
) as dag:
{steps}
    publish = Mainstem(
        task_id="publish",
        arguments=["--resume", "--name={{{{ run_id }}}}", "--wait=3600", "--output=json"],
        outlets=[
{outlets}        ],
    )

{needs}
'''
