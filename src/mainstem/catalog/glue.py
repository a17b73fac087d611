"""The catalog in AWS Glue: one entry a table, moved by whoever knows its version.

Glue refuses an update that names another version than the present one, so a pointer that somebody else
moved is never overwritten. A call whose answer is lost, or says "conflict" after a retry on the way, may have
been obeyed all the same: the entry is read again before anybody believes it was not. Writes are sent once;
an SDK that repeats them would turn success into a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mainstem import aws
from mainstem.errors import LakeRefused, Where
from mainstem.schema import Column, Kind, TableName, Type

_CONFLICT = ("ConcurrentModificationException", "AlreadyExistsException", "VersionMismatchException")
_LOCATION = "metadata_location"
_TYPES = {Kind.LONG: "bigint", Kind.TIMESTAMPTZ: "timestamp"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What Glue shows of a version: its columns, and the folder of the table."""

    columns: Sequence[Column]
    folder: str


class GlueCatalog:
    """Catalog over a Glue database a namespace. `client` is boto3's, made to try once; `reader` (the same, if
    none is given) may try again. Databases are not made here: they are infrastructure. Names are lower case
    in Glue."""

    def __init__(self, client: Any, databases: Mapping[str, str], reader: Any = None) -> None:
        self._client = client
        self._reader = reader or client
        self._databases = databases

    def location(self, name: TableName) -> str | None:
        """See Catalog."""
        found = self._entry(name)
        return _location(found) if found else None

    def swap(self, name: TableName, expected: str | None, new: str, shown: Shown | None = None) -> bool:
        """See Catalog. LakeUnavailable if the answer was lost and the entry cannot be read either: then
        `new` may stand or not, and its files must stay."""
        found = self._entry(name)
        if (_location(found) if found else None) != expected:
            return False
        entry = _input(name, expected, new, shown or Shown((), new.rpartition("/metadata/")[0]))
        database = self._databases[name.namespace]
        try:
            if found is None:
                self._client.create_table(DatabaseName=database, TableInput=entry)
            else:
                self._client.update_table(
                    DatabaseName=database, TableInput=entry, SkipArchive=True, VersionId=found["VersionId"]
                )
        except (ClientError, BotoCoreError) as error:
            if self.location(name) == new:
                return True
            if aws.code_of(error) in _CONFLICT:
                return False
            raise aws.failure(error, str(name)) from error
        return True

    def tables(self) -> dict[TableName, str]:
        """See Catalog. Tables of other formats in the same databases are not ours, and left out."""
        found = {}
        for namespace, database in self._databases.items():
            with aws.mapped(database):
                pages = self._client.get_paginator("get_tables").paginate(DatabaseName=database)
                for one in (one for page in pages for one in page["TableList"]):
                    if _location(one):
                        found[TableName(namespace, one["Name"])] = str(_location(one))
        return dict(sorted(found.items()))

    def drop(self, name: TableName) -> bool:
        """See Catalog."""
        if self._entry(name) is None:
            return False
        with aws.mapped(str(name)):
            self._client.delete_table(DatabaseName=self._databases[name.namespace], Name=name.name.lower())
        return True

    def _entry(self, name: TableName) -> dict[str, Any] | None:
        try:
            found = self._reader.get_table(
                DatabaseName=self._databases[name.namespace], Name=name.name.lower()
            )
        except (ClientError, BotoCoreError) as error:
            if aws.code_of(error) == "EntityNotFoundException":
                return None
            raise aws.failure(error, str(name)) from error
        table = found["Table"]
        if not _location(table):
            raise LakeRefused(
                "Glue has another table of that name, which is not Iceberg",
                where=Where(table=str(name)),
                hint="remove it, or give the target another database",
            )
        assert isinstance(table, dict)
        return table


def _location(entry: Mapping[str, Any]) -> str | None:
    value = entry.get("Parameters", {}).get(_LOCATION)
    return str(value) if value else None


def _input(name: TableName, expected: str | None, new: str, shown: Shown) -> dict[str, Any]:
    """The entry as every Iceberg reader of Glue expects it."""
    parameters = {"table_type": "ICEBERG", _LOCATION: new}
    if expected:
        parameters["previous_metadata_location"] = expected
    return {
        "Name": name.name.lower(),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "StorageDescriptor": {
            "Location": shown.folder,
            "Columns": [_column(column) for column in shown.columns],
        },
    }


def _column(column: Column) -> dict[str, str]:
    made = {"Name": column.name.lower(), "Type": hive_type(column.type)}
    return {**made, "Comment": column.comment[:255]} if column.comment else made


def hive_type(type_: Type) -> str:
    """Glue's (Hive's) word for a lake type."""
    return str(type_) if type_.kind is Kind.DECIMAL else _TYPES.get(type_.kind, type_.kind.value)
