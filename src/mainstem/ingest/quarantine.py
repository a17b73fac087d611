"""Rows that break their table's contract: stop the load, or stand apart in `quarantine.TABLE`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mainstem.contract.rules import Contract, literal
from mainstem.engine.port import Engine
from mainstem.errors import ProofFailed, Where
from mainstem.ingest.terms import REASON, RUN, quarantine_columns
from mainstem.lake import Lake, Staged
from mainstem.schema import QUARANTINE, RAW, Table, TableName
from mainstem.text import count

if TYPE_CHECKING:
    import pyarrow as pa


class Sorter:
    """Judges the rows of one staged table by its contract."""

    def __init__(self, lake: Lake, engine: Engine, run: str, table: Table, contract: Contract) -> None:
        self._lake = lake
        self._engine = engine
        self._run = run
        self._table = table
        self._contract = contract
        self._name = TableName(RAW, table.name)
        self._ref = f"{engine.dialect.quote(RAW)}.{engine.dialect.quote(table.name)}"

    def broken(self, files: Sequence[Path]) -> tuple[int, dict[str, int]]:
        """How many rows break the contract, and how many each rule that is broken."""
        self._attach(files)
        found = self._engine.query(self._contract.counts(self._ref))
        total, *each = (int(column[0].as_py()) for column in found.columns)
        pairs = zip(self._contract.rules, each, strict=True)
        return total, {str(rule): number for rule, number in pairs if number}

    def refuse(self, rules: dict[str, int]) -> ProofFailed:
        """The error for rows that stop the run; it names table, column, rule and number of rows."""
        columns = {rule.column for rule in self._contract.rules if str(rule) in rules}
        column = columns.pop() if len(columns) == 1 else ""
        listed = "; ".join(f"{rule} ({count(number, 'row')})" for rule, number in rules.items())
        return ProofFailed(
            f"rows break the table's contract: {listed}",
            where=Where(table=str(self._name), column=column),
            hint="correct them in the source, or set on_break: quarantine to load the others",
        )

    def sort(self, staged: Staged, total: int) -> tuple[Staged, Staged]:
        """The rows that keep the contract, and those that do not, each staged. The version given is thrown
        away if it holds any of the latter."""
        if total == 0:
            return staged, self._stage(TableName(QUARANTINE, self._table.name), iter(()))
        kept = self._untouched(staged)
        files = [file for file in staged.all_files if file not in set(kept)]
        # Not the columns themselves: `unique` looks at all rows, the rows are read from some files.
        self._attach(files)
        names = ", ".join(self._engine.dialect.quote(column.name) for column in self._table.columns)
        judged = f"(select {names}, {self._contract.reason} as {REASON} from {self._ref})"
        bad = f"select *, {literal(self._run)} as {RUN} from {judged} where {REASON} is not null"
        apart = self._stage(TableName(QUARANTINE, self._table.name), self._engine.stream(bad)[1])
        try:
            good = f"select {names} from {judged} where {REASON} is null"
            rest = self._lake.stage(self._name, self._table.columns, self._engine.stream(good)[1], keep=kept)
        except BaseException:
            self._lake.discard(apart)
            raise
        if rest.rows + apart.rows != staged.rows:
            self._lake.discard(apart)
            self._lake.discard(rest)
            raise ProofFailed(
                f"raw and quarantine together have {rest.rows + apart.rows:,} of {count(staged.rows, 'row')}",
                where=Where(table=str(self._name)),
                hint="report it: nothing was published",
            )
        self._lake.discard(staged)
        return rest, apart

    def _untouched(self, staged: Staged) -> tuple[Path, ...]:
        """The kept files, if no row in them breaks the contract (they were judged when they were written;
        an expression may look at the clock, and a new row may repeat a value of theirs)."""
        if self._contract.across or not staged.kept or self.broken(staged.kept)[0]:
            return ()
        return staged.kept

    def _stage(self, name: TableName, rows: Iterator[pa.RecordBatch]) -> Staged:
        return self._lake.stage(name, quarantine_columns(self._table), rows)

    def _attach(self, files: Sequence[Path]) -> None:
        self._engine.attach_files(self._name, files, self._table.columns)
