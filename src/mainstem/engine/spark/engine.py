"""Spark as an `Engine`: SQL in Spark's words over versions of the lake's tables. Results travel as files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mainstem import metadata
from mainstem.arrow import arrow_type
from mainstem.compile.query import view_name
from mainstem.engine.spark import session as sessions
from mainstem.engine.spark.functions import FUNCTIONS
from mainstem.engine.spark.proofdialect import SparkProofDialect
from mainstem.engine.spark.session import mapped
from mainstem.errors import EngineFailed, Where
from mainstem.schema import Column, Kind, TableName, Type

_TYPES = {
    "boolean": Type(Kind.BOOLEAN),
    "tinyint": Type(Kind.INT),
    "smallint": Type(Kind.INT),
    "int": Type(Kind.INT),
    "bigint": Type(Kind.LONG),
    "float": Type(Kind.FLOAT),
    "double": Type(Kind.DOUBLE),
    "string": Type(Kind.STRING),
    "binary": Type(Kind.BINARY),
    "date": Type(Kind.DATE),
    "timestamp_ntz": Type(Kind.TIMESTAMP),
    "timestamp": Type(Kind.TIMESTAMPTZ),
    "void": Type(Kind.STRING),
}
_WORDS = {
    Kind.INT: "INT",
    Kind.LONG: "BIGINT",
    Kind.TIMESTAMP: "TIMESTAMP_NTZ",
    Kind.TIMESTAMPTZ: "TIMESTAMP_LTZ",
}


class Spark:
    """Engine over the process's Spark session; see `port.Engine`. `temp` is where results pass through."""

    def __init__(self, temp: Path, master: str = "local[*]", memory: str = "") -> None:
        self.dialect = SparkProofDialect()
        self._spark = sessions.spark_session(master, memory)
        self._temp = temp / f"spark-{os.getpid()}-{id(self):x}"
        self._temp.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = Lock()
        self._results = 0
        with mapped():
            for name, function in FUNCTIONS.items():
                self._spark.udf.register(name, function, "string")

    def attach(self, tables: Mapping[TableName, str]) -> None:
        """See Engine."""
        for name, location in tables.items():
            version = metadata.load(location)
            if version.files is None:
                with mapped():
                    frame = self._spark.read.format("iceberg").load(location)
                    frame.createOrReplaceTempView(_name(name))
            else:
                self.attach_files(name, version.files, version.columns)

    def attach_files(self, name: TableName, files: Sequence[Path], columns: Sequence[Column]) -> None:
        """See Engine."""
        schema = ", ".join(f"{self.dialect.quote(c.name)} {_word(c.type)}" for c in columns)
        with mapped():
            if files:
                frame = self._spark.read.schema(schema).parquet(*map(str, files))
            else:
                frame = self._spark.createDataFrame([], schema)
            frame.createOrReplaceTempView(_name(name))

    def query(self, sql: str) -> pa.Table:
        """See Engine."""
        schema, batches = self.stream(sql)
        return pa.Table.from_batches(list(batches), schema)

    def stream(self, sql: str, batch_rows: int = 65536) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """See Engine. Spark writes Parquet, which is read here: results of any size, in bounded memory."""
        with mapped():
            frame = self._spark.sql(sql)
        schema = _schema(frame)
        with self._lock:
            self._results += 1
            folder = self._temp / f"result-{self._results}"
        plain = frame.toDF(*(f"c{number}" for number in range(len(schema))))
        with mapped():
            plain.write.mode("overwrite").parquet(str(folder))
        return schema, _batches(folder, schema, batch_rows)

    def describe(self, sql: str) -> pa.Schema:
        """See Engine."""
        with mapped():
            return _schema(self._spark.sql(sql))

    def close(self) -> None:
        """See Engine. The session stays: it is the process's."""
        shutil.rmtree(self._temp, ignore_errors=True)

    def __enter__(self) -> Spark:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _name(name: TableName) -> str:
    return "`" + view_name(name).replace("`", "``") + "`"


def _word(type_: Type) -> str:
    return _WORDS.get(type_.kind, str(type_).upper())


def _schema(frame: Any) -> pa.Schema:
    fields = []
    for field in frame.schema.fields:
        word = field.dataType.simpleString()
        type_ = Type.parse(word) if word.startswith("decimal(") else _TYPES.get(word)
        if type_ is None:
            raise EngineFailed(
                f"no type of the lake holds {word} exactly",
                where=Where(column=field.name),
                hint="CAST the column to VARCHAR, BIGINT, DECIMAL, DOUBLE, DATE or TIMESTAMP",
            )
        fields.append(pa.field(field.name, arrow_type(type_)))
    return pa.schema(fields)


def _batches(folder: Path, schema: pa.Schema, batch_rows: int) -> Iterator[pa.RecordBatch]:
    try:
        for file in sorted(folder.glob("*.parquet")):
            with pq.ParquetFile(file) as opened:
                for batch in opened.iter_batches(batch_rows):
                    columns = [c.cast(f.type) for c, f in zip(batch.columns, schema, strict=True)]
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
