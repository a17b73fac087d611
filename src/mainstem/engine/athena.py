"""Asks Athena: one statement, its rows as an Arrow table, the bytes that it read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError

from mainstem.aws import code_of, failure
from mainstem.errors import EngineFailed, MainstemError
from mainstem.text import size

_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_WAITS = (0.1, 0.2, 0.4, 0.8, 1.5)  # seconds between two looks; the last one from then on
_TYPES: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int32(),
    "smallint": pa.int32(),
    "integer": pa.int32(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`scanned` are the bytes that Athena read, and bills; `result` is where it keeps the answer in S3."""

    table: pa.Table
    scanned: int
    result: str


@dataclass(frozen=True, slots=True)
class Athena:
    """`client` is boto3's; tables without a database are those of `database`. The
    workgroup decides where results go and how much a query may read. A query that takes longer than
    `timeout` seconds is stopped."""

    client: Any
    workgroup: str
    database: str
    timeout: float = 300.0
    sleep: Callable[[float], None] = time.sleep

    def ask(self, sql: str) -> Answer:
        """The whole answer of one SELECT. EngineFailed with Athena's words, LakeRefused without a right to
        ask, LakeUnavailable if AWS does not answer."""
        with _mapped(self.workgroup):
            started = self.client.start_query_execution(
                QueryString=sql,
                WorkGroup=self.workgroup,
                QueryExecutionContext={"Database": self.database},
            )
            query = str(started["QueryExecutionId"])
            try:
                execution = self._ended(query)
            except BaseException:  # also Ctrl-C: what nobody waits for shall not go on reading
                self.client.stop_query_execution(QueryExecutionId=query)
                raise
            status = execution["Status"]
            scanned = int(execution.get("Statistics", {}).get("DataScannedInBytes", 0))
            if status["State"] != "SUCCEEDED":
                raise refused(str(status.get("StateChangeReason", status["State"])), scanned)
            pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=query)
            table = table_of(list(pages))
        location = execution.get("ResultConfiguration", {}).get("OutputLocation", "")
        return Answer(table, scanned, str(location))

    def _ended(self, query: str) -> dict[str, Any]:
        until = time.monotonic() + self.timeout
        for wait in _waits():
            found = self.client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if found["Status"]["State"] in _ENDED:
                assert isinstance(found, dict)
                return found
            if time.monotonic() > until:
                raise EngineFailed(
                    f"Athena has not answered within {self.timeout:g} s: the query was stopped",
                    hint="ask for less, or raise --timeout",
                )
            self.sleep(wait)
        raise AssertionError("the waits never end")


def refused(reason: str, scanned: int) -> MainstemError:
    """A query that failed, in words."""
    if "bytes scanned limit" in reason.lower():
        return EngineFailed(
            f"the query would read more than the workgroup allows (stopped at {size(scanned)})",
            hint="filter more, name fewer columns, or raise scan_limit of the target and deploy again",
        )
    return EngineFailed(f"Athena: {reason}")


def table_of(pages: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Athena's pages as a table. The first row repeats the columns' names; values come as texts, NULL as
    nothing."""
    info = pages[0]["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    names = [str(column["Label"] if "Label" in column else column["Name"]) for column in info]
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    if rows and [cell.get("VarCharValue") for cell in rows[0]] == names:
        rows = rows[1:]
    columns = [
        _column([row[place].get("VarCharValue") for row in rows], column) for place, column in enumerate(info)
    ]
    return pa.Table.from_arrays(columns, names=names)


def _column(texts: list[str | None], info: Mapping[str, Any]) -> pa.Array:
    kind = str(info["Type"]).lower()
    text = pa.array(texts, pa.string())
    try:
        if kind.startswith("decimal"):
            return text.cast(pa.decimal128(int(info["Precision"]), int(info["Scale"])))
        return text.cast(_TYPES[kind]) if kind in _TYPES else text
    except (pa.ArrowInvalid, KeyError, ValueError):
        return text  # told as it came, rather than not at all, or rounded


def _waits() -> Iterator[float]:
    yield from _WAITS
    while True:
        yield _WAITS[-1]


@contextmanager
def _mapped(workgroup: str) -> Iterator[None]:
    """A statement that Athena does not accept, and all that is no matter of the statement."""
    try:
        yield
    except ClientError as error:
        if code_of(error) == "InvalidRequestException":
            raise EngineFailed(f"Athena: {error.response['Error']['Message']}") from error
        raise failure(error, workgroup) from error
    except BotoCoreError as error:
        raise failure(error, workgroup) from error
