"""What a Spark session of Mainstem is set to, as data: the same locally, in a job and on Glue. Pure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mainstem.errors import EngineFailed

SPARK, SCALA = "3.5", "2.12"
VERSION = "3.5.6"
# Everything that decides a value: an error instead of a NULL, UTC, no rounding of decimals to make room.
MEANING: dict[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.caseSensitive": "false",
    "spark.sql.storeAssignmentPolicy": "ANSI",
    "spark.sql.mapKeyDedupPolicy": "EXCEPTION",
}
# How it works on one machine: no page, no port beyond loopback.
LOCAL: dict[str, str] = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.parquet.compression.codec": "zstd",
}
# Where Debian's packages put the drivers, by their classes.
DRIVERS = {
    "org.mariadb.jdbc.Driver": Path("/usr/share/java/mariadb-java-client.jar"),
    "org.postgresql.Driver": Path("/usr/share/java/postgresql.jar"),
}


def jars() -> list[str]:
    """Iceberg's runtime from its wheel, and the system's JDBC drivers. EngineFailed without Iceberg."""
    spec = importlib.util.find_spec("snowpark_connect_deps_iceberg")
    name = f"iceberg-spark-runtime-{SPARK}_{SCALA}-*.jar"
    for folder in spec.submodule_search_locations or () if spec else ():
        found = sorted((Path(folder) / "jars").glob(name))
        if found:
            return [str(found[-1]), *(str(jar) for jar in DRIVERS.values() if jar.exists())]
    raise EngineFailed(
        "Iceberg's runtime for Spark is not installed",
        hint="pip install 'mainstem[spark]' brings Spark and it",
    )
