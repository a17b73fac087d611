"""What the tests of several rooms share: small projects, runs in this process, command lines outside it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mainstem import wiring
from mainstem.cli.commands.common import Planned, left_over, parts, planned
from mainstem.events import Event
from mainstem.ingest.window import NO_WINDOW, Window
from mainstem.plan import Choices
from mainstem.project.load import Project, load_project
from mainstem.run import Outcome, RunOptions, execute
from mainstem.run.parts import Parts
from mainstem.run.resume import resumed
from mainstem.schema import Column, ForeignKey, Kind, Table, TableName, Type
from processes import command_line

Cli = Callable[..., tuple[int, str, str]]
"""A command line in this process: exit code, stdout, stderr."""

SOURCE = """
create table customers (
  customer_number integer primary key, customer_name varchar(50) not null,
  postal_code varchar(15), country varchar(50) not null);
insert into customers values
  (1, 'Atelier', '44000', 'France'), (2, 'Mini', '94217', 'USA'), (3, 'Corrida', '94217', 'Spain'),
  (4, 'Down Under', null, 'New Zealand');
create table orders (
  order_number integer primary key, customer_number integer not null references customers (customer_number),
  order_date date not null, comments text);
insert into orders values
  (10, 1, '2003-01-06', null), (11, 2, '2003-01-09', ''), (12, 3, '2004-02-01', 'late'),
  (13, 4, '2004-02-02', 'ok'), (14, 2, '2005-05-31', null);
create table order_lines (
  order_number integer not null references orders (order_number), line_number integer not null,
  product varchar(15) not null, quantity integer not null, price decimal(10,2) not null,
  primary key (order_number, line_number));
insert into order_lines values
  (10, 1, 'car', 30, 136.00), (10, 2, 'ship', 50, 55.09), (11, 1, 'car', 22, 75.46),
  (12, 1, 'plane', 49, 35.29), (12, 2, 'car', 25, 108.06), (13, 1, 'ship', 26, 167.06),
  (14, 1, 'train', 45, 32.53),
  (14, 2, 'car', 46, 44.35);
"""
LINES, AMOUNT = 8, "20772.84"  # order_lines: rows, and sum(quantity * price), added up by hand

DIM_CUSTOMERS = """/* mainstem
kind: dimension
key: [customer_key]
columns:
  customer_key: The customer's number as text.
  country: Country.
tags: [people]
*/
select cast(customer_number as varchar) as customer_key, customer_name, country from raw.customers
union all
select 'missing', 'Unknown', 'Unknown'
"""

FACT_LINES = """/* mainstem
kind: fact
grain: {statement: one row per order line, table: raw.order_lines}
key: [order_number, line_number]
columns:
  customer_key: {description: Who ordered., references: dim_customers.customer_key}
measures:
  amount: {description: Quantity × price., equals: quantity * price, format: "$,.2f"}
tags: [money]
*/
select
    l.order_number, l.line_number, l.product, l.quantity * l.price as amount, o.order_date,
    coalesce(cast(c.customer_number as varchar), 'missing') as customer_key
from raw.order_lines l
left join raw.orders o on l.order_number = o.order_number
left join raw.customers c on o.customer_number = c.customer_number
"""

MODELS = {"dim_customers": DIM_CUSTOMERS, "fact_lines": FACT_LINES}


def execute_sql(database: Path, statements: str) -> None:
    """Run statements on a SQLite file."""
    connection = sqlite3.connect(database)
    try:
        connection.executescript(statements)
    finally:
        connection.close()


def make_project(
    root: Path, models: Mapping[str, str] = MODELS, *, source: str = SOURCE, config: str = ""
) -> Path:
    """A project on a SQLite file of its own. `config` stands under the source's name in mainstem.yml."""
    root.mkdir(parents=True, exist_ok=True)
    if source:
        execute_sql(root / "shop.db", source)
    lines = "".join(f"    {line}\n" for line in config.splitlines())
    (root / "mainstem.yml").write_text(
        f"name: shop\nsources:\n  shop:\n    url: sqlite:///shop.db\n{lines}", encoding="utf-8"
    )
    (root / "models").mkdir(exist_ok=True)
    for name, text in models.items():
        (root / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    return root


def write_model(root: Path, name: str, text: str) -> None:
    """Put one model into a project."""
    (root / "models" / f"{name}.sql").write_text(text, encoding="utf-8")


@dataclass
class Ran:
    """A run in this process, and what it told."""

    outcome: Outcome
    events: list[Event]

    @property
    def status(self) -> str:
        return self.outcome.receipt.status

    @property
    def messages(self) -> str:
        return "\n".join(str(error) for error in self.outcome.errors)

    def table(self, name: str) -> dict[str, Any]:
        """The receipt's entry of a table or model."""
        value = self.outcome.receipt.value()
        return next(one for one in [*value["tables"], *value["models"]] if one["table"] == name)


def run(
    root: Path,
    *,
    select: Sequence[str] = (),
    options: RunOptions | None = None,
    adapt: Callable[[Parts], Parts] = lambda parts: parts,
    clean: bool = True,
    resume: bool = False,
    window: Window = NO_WINDOW,
) -> Ran:
    """Plan and execute under the lock, as the command does. `adapt` may exchange parts for other ones."""
    project, events = load_project(root), list[Event]()
    options = options or RunOptions()
    options = replace(options, choices=Choices(tuple(select), (), options.full_refresh, window))
    lake = wiring.open_lake(project)
    with ExitStack() as held:
        held.enter_context(lake.run_lock("test", 0.0))
        lake.relocate()
        left = left_over(project, options.choices, options.name) if resume else None
        options = resumed(options, left) if left else options
        made = held.enter_context(planned(project, options.choices, left, options.target))
        made_parts = adapt(parts(project, made, options.target))
        outcome = execute(made.plan, made_parts, options, events.append)
        if clean:
            lake.clean()
    return Ran(outcome, events)


@contextmanager
def plan_of(
    root: Path, *select: str, full_refresh: bool = False, window: Window = NO_WINDOW
) -> Iterator[Planned]:
    """What a run would do."""
    with planned(load_project(root), Choices(select, (), full_refresh, window)) as made:
        yield made


def actions(made: Planned) -> dict[str, str]:
    """The plan as table → action."""
    found = {str(step.name): str(step.action) for step in made.plan.ingest}
    return found | {str(step.name): step.action for step in made.plan.models}


def ask(root: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on the current release."""
    connection = wiring.connect(root)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def files_of(root: Path) -> dict[str, tuple[bytes, int]]:
    """Every file below a directory: its bytes and the time of its last change."""
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def data_files(project: Project) -> set[Path]:
    """The Parquet files that stand in the lake."""
    return set((project.state / "lake").rglob("*.parquet"))


def mainstem(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    return command_line(arguments, cwd, environment(env), stdin, timeout)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment, without what would change a run, and more."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAINSTEM_", "SHOP_", "COLUMNS"))}
    return {**kept, **(extra or {})}


_TYPES = {
    "int": Type(Kind.INT),
    "text": Type(Kind.STRING),
    "date": Type(Kind.DATE),
    "double": Type(Kind.DOUBLE),
}


def table(
    name: str, columns: str, key: Iterable[str] = (), parents: Mapping[str, str] | None = None
) -> Table:
    """A table from words: `table("orders", "id int, note text", ["id"], {"customer_id": "customers"})`."""
    made = tuple(
        Column(word, _TYPES.get(kind) or Type.parse(kind), nullable=word not in key, native=kind)
        for word, kind in (part.split() for part in columns.split(", "))
    )
    keys = tuple(ForeignKey((column,), parent, (column,)) for column, parent in (parents or {}).items())
    return Table(name, made, primary_key=tuple(key), foreign_keys=keys)


def raw(name: str) -> TableName:
    """A source table's name."""
    return TableName("raw", name)


def mart(name: str) -> TableName:
    """A model's name."""
    return TableName("mart", name)


# The fact with an inner join that loses the orders without a comment: four lines of eight.
BROKEN_LINES = FACT_LINES.replace("left join raw.orders", "join raw.orders").replace(
    "o.order_number\n", "o.order_number and o.comments is not null\n"
)
