"""`mainstem query --target aws`: Athena's protocol, on an emulator that runs DuckDB behind it.

The emulator reads Parquet tables of the Glue catalog, not Iceberg ones, and no SQL that Trino alone knows;
its queries read without limit. What Athena says of those is tested as texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud.test_publish import Place
from mainstem.engine.athena import Athena, refused, table_of
from mainstem.errors import EngineFailed, LakeRefused
from servers.ministack import Ministack
from support import mainstem, make_project

GROUP = "questions"


@pytest.fixture
def place(credentials: Ministack, tmp_path: Path) -> Place:
    """A place with a Parquet table `sales` in its mart, and a workgroup."""
    made = Place(credentials)
    athena = made.aws.client("athena")
    if GROUP not in [one["Name"] for one in athena.list_work_groups()["WorkGroups"]]:
        made.aws.bucket("answers")
        result = {"ResultConfiguration": {"OutputLocation": "s3://answers/"}}
        athena.create_work_group(Name=GROUP, Configuration=result)
    rows = {
        "country": ["USA", "Spain", None],
        "amount": pa.array(["1.10", "2.20", "3.30"]).cast(pa.decimal128(10, 2)),
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    made.aws.client("s3").upload_file(str(tmp_path / "a.parquet"), made.name, "sales/a.parquet")
    serde = "org.apache.hadoop.hive.ql.io.parquet"
    made.aws.client("glue").create_table(
        DatabaseName=made.databases["mart"],
        TableInput={
            "Name": "sales",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet"},
            "StorageDescriptor": {
                "Columns": [
                    {"Name": "country", "Type": "string"},
                    {"Name": "amount", "Type": "decimal(10,2)"},
                ],
                "Location": f"s3://{made.name}/sales/",
                "InputFormat": f"{serde}.MapredParquetInputFormat",
                "OutputFormat": f"{serde}.MapredParquetOutputFormat",
                "SerdeInfo": {"SerializationLibrary": f"{serde}.serde.ParquetHiveSerDe"},
            },
        },
    )
    return made


def athena(place: Place, **options: Any) -> Athena:
    return Athena(place.aws.client("athena"), GROUP, place.databases["mart"], **options)


def test_a_question_is_answered(place: Place) -> None:
    answer = athena(place).ask("select country, amount from sales order by amount")
    assert answer.table.column("country").to_pylist() == ["USA", "Spain", None]
    # (The emulator tells a wrong scale: then the digits are kept as they came.)
    assert [str(value) for value in answer.table.column("amount").to_pylist()] == ["1.10", "2.20", "3.30"]
    assert answer.scanned >= 0
    assert answer.result.startswith("s3://answers/")


def test_a_wrong_question_is_told_in_athenas_words(place: Place) -> None:
    with pytest.raises(EngineFailed, match="nothing_of_that_name"):
        athena(place).ask("select * from nothing_of_that_name")


def test_who_may_not_ask_is_told(place: Place) -> None:
    client = place.aws.client("athena", "AKIAIOSFODNN7EXAMPLE", "wrong")
    with pytest.raises(LakeRefused):
        Athena(client, GROUP, "mart").ask("select 1")


class Slow:
    """Athena at work for ever; remembers what was stopped."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.stopped: list[str] = []

    def get_query_execution(self, **arguments: Any) -> Any:
        found = self.client.get_query_execution(**arguments)
        found["QueryExecution"]["Status"]["State"] = "RUNNING"
        return found

    def stop_query_execution(self, QueryExecutionId: str) -> None:  # noqa: N803
        self.stopped.append(QueryExecutionId)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)


def test_a_question_that_takes_too_long_is_stopped(place: Place) -> None:
    slow = Slow(place.aws.client("athena"))
    with pytest.raises(EngineFailed, match="within 0 s: the query was stopped"):
        Athena(slow, GROUP, place.databases["mart"], timeout=0, sleep=lambda _: None).ask("select 1")
    assert len(slow.stopped) == 1


def test_a_question_that_is_interrupted_is_stopped(place: Place) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    slow = Slow(place.aws.client("athena"))
    with pytest.raises(KeyboardInterrupt):
        Athena(slow, GROUP, place.databases["mart"], sleep=interrupted).ask("select 1")
    assert len(slow.stopped) == 1


def test_the_scan_limit_is_explained() -> None:
    error = refused("Query exhausted: Bytes scanned limit was exceeded", 12_000_000)
    assert "more than the workgroup allows (stopped at 12.0 MB)" in str(error)
    assert "scan_limit" in str(error)


def test_pages_become_one_table_of_their_types() -> None:
    kinds = ["bigint", "decimal", "double", "boolean", "date", "varchar", "timestamp"]
    info = [{"Name": k, "Label": k, "Type": k, "Precision": 12, "Scale": 2} for k in kinds]
    first = ["7", "1.20", "0.5", "true", "2024-02-29", "", "2024-02-29 01:02:03.000"]
    nothing: list[str | None] = [None] * len(kinds)

    def page(part: list[list[str | None]]) -> dict[str, Any]:
        cells = [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in part]
        return {"ResultSet": {"ResultSetMetadata": {"ColumnInfo": info}, "Rows": cells}}

    table = table_of([page([[*kinds], [*first]]), page([nothing])])
    assert table.num_rows == 2
    assert [str(t) for t in table.schema.types[:3]] == ["int64", "decimal128(12, 2)", "double"]
    assert table.column("varchar").to_pylist() == ["", None]
    assert str(table.column("date").to_pylist()[0]) == "2024-02-29"


def test_the_command_asks_athena(place: Place, tmp_path: Path) -> None:
    root = make_project(tmp_path / "shop")
    target = place.target().replace("workgroup: primary", f"workgroup: {GROUP}")
    with (root / "mainstem.yml").open("a") as file:
        file.write(target)
    sql = "select country, sum(amount) as sales from sales group by country order by sales desc"
    done = mainstem("query", "--target", "aws", "--output", "csv", sql, cwd=root, env=place.aws.environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["country,sales", ",3.30"]
    assert "Athena read" in done.stderr
    both = mainstem("query", "--target", "aws", "--release", "r0001", sql, cwd=root)
    assert both.returncode == 2
    assert "--release goes with the local target alone" in both.stderr
