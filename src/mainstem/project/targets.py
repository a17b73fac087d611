"""Where a project runs: on this machine, on a Spark session, in an AWS account."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from mainstem.project.strict import Strict

_SIZE = re.compile(r"\s*\d+(\.\d+)?\s*[KMGT]?I?B?\s*", re.IGNORECASE)


class _Sized(Strict):
    memory: str = ""

    @field_validator("memory")
    @classmethod
    def _size(cls, value: str) -> str:
        if value and not _SIZE.fullmatch(value):
            raise ValueError("write it like 4GB")
        return value


class LocalTarget(_Sized):
    """Models run in the embedded engine; `memory` and `threads` bound it (`4GB`, 2)."""

    engine: Literal["duckdb"] = "duckdb"
    threads: int = Field(default=0, ge=0, le=1024)


class SparkTarget(_Sized):
    """Reading and models run in a Spark session on `master`; `memory` is the driver's; `partitions` are the
    key ranges in which a large table is read (0: by its size)."""

    engine: Literal["spark"]
    master: str = "local[*]"
    partitions: int = Field(default=0, ge=0, le=10_000)


class AwsTarget(Strict):
    """The same project in an AWS account: lake in S3, catalog and job in Glue, queries by Athena.

    `bucket` holds the lake under `prefix`; `database` and `workgroup` are named after the project unless
    given; `secrets` names the secret (AWS Secrets Manager) that holds each source's login. `timeout`: seconds
    without a byte after which a connection is given up; then it is tried again.
    """

    engine: Literal["aws"]
    region: str = Field(min_length=1)
    bucket: str = Field(min_length=3)
    prefix: str = "lake"
    database: str = ""
    workgroup: str = ""
    secrets: dict[str, str] = Field(default_factory=dict)
    worker_type: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = "G.1X"
    workers: int = Field(default=2, ge=2, le=299)
    timeout: float = Field(default=60.0, gt=0, le=3600)
    timeout_minutes: int = Field(default=120, ge=1, le=10_080)
    scan_limit: str = "10GB"
    schedule: str = ""
    alarm_email: str = ""
    endpoint: str = ""


def _engine(value: Any) -> str:
    engine = value.get("engine", "duckdb") if isinstance(value, dict) else getattr(value, "engine", "duckdb")
    return str(engine)


TargetConfig = Annotated[
    Annotated[LocalTarget, Tag("duckdb")]
    | Annotated[SparkTarget, Tag("spark")]
    | Annotated[AwsTarget, Tag("aws")],
    Discriminator(_engine),
]
