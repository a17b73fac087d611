# mypy: disable-error-code="import-not-found"
"""Spark reads by JDBC and writes Parquet.

    spark_job.py HOST PORT USER PASSWORD DATABASE JAR OUT TABLES [MODELS]

TABLES are separated by commas. MODELS is a folder with the star's statements in Spark's SQL, numbered.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pyspark.sql import SparkSession

host, port, user, password, database, jar, out, tables, *models = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.driver.memory", "4g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "4")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
for table in tables.split(","):
    rows = (
        spark.read.format("jdbc")
        .option("url", f"jdbc:mysql://{host}:{port}/{database}?permitMysqlScheme&useSsl=false")
        .option("driver", "org.mariadb.jdbc.Driver")
        .option("user", user)
        .option("password", password)
        .option("fetchsize", "10000")
        .option("dbtable", table)
        .load()
    )
    rows.write.parquet(f"{out}/raw/{table}")
    spark.read.parquet(f"{out}/raw/{table}").createOrReplaceTempView(table)
for model in sorted(Path(models[0]).glob("*.sql")) if models else []:
    name = model.stem.partition("-")[2]
    spark.sql(model.read_text()).write.parquet(f"{out}/mart/{name}")
    spark.read.parquet(f"{out}/mart/{name}").createOrReplaceTempView(name)
spark.stop()
