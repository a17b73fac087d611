"""The job: reads sources by JDBC, writes Iceberg tables, proves them, builds and proves the models.

    script.py PLAN RESULT
    script.py --plan PLAN [--result RESULT] [--warehouse S3 --database NAME] [--secret-SOURCE SECRET …]

PLAN and RESULT are JSON documents (paths, or s3:// addresses). It needs PySpark 3.5 and Iceberg's runtime,
nothing of Mainstem: it runs as it is as an AWS Glue job. It ends with 3 if a proof fails, with 4 if something
cannot be read or written, and says why in RESULT.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
import struct
import sys
import time
import traceback
from decimal import Decimal, InvalidOperation
from urllib.parse import unquote


class Failed(Exception):
    """`kind` is the class of the error: ProofFailed, SourceUnavailable, ValueNotExact, EngineFailed."""

    def __init__(self, kind, message, table="", column="", hint=""):
        super().__init__(message)
        self.kind, self.message, self.table, self.column, self.hint = kind, message, table, column, hint

    def told(self):
        return {name: getattr(self, name) for name in ("kind", "message", "table", "column", "hint")}


def outputs(plan):
    """Everything that a run writes: tables, those beside them, models."""
    for table in plan["tables"]:
        yield table
        yield from (table[part] for part in ("quarantine", "history") if table[part])
    yield from plan["models"]


def name_run(plan):
    """A plan that is run many times has no name of a run: each run takes the time."""
    if not plan["run"]:
        plan["run"] = time.strftime("%Y%m%dT%H%M%S", time.gmtime()) + "-job"
        for table in outputs(plan):
            table["summary"]["mainstem.run"] = plan["run"]


def read_text(path):
    if path.startswith("s3://"):
        import boto3

        bucket, _, key = path[5:].partition("/")
        return boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_text(path, text):
    if path.startswith("s3://"):
        import boto3

        bucket, _, key = path[5:].partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=text.encode())
        return
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)


def login(source):
    """The address and the password of a source: from the environment, or from AWS Secrets Manager."""
    if source.get("secret"):
        import boto3

        text = boto3.client("secretsmanager").get_secret_value(SecretId=source["secret"])["SecretString"]
    else:
        text = os.environ[source["env"]]
    return json.loads(text) if text.lstrip().startswith("{") else from_url(text.strip(), source)


def from_url(url, source):
    """`mysql://user:password@host:port/database` for JDBC; the plan has the driver's options."""
    login, _, place = url.partition("://")[2].rpartition("@")
    user, _, password = login.partition(":")
    host, _, database = place.partition("?")[0].partition("/")
    if not re.search(r":[0-9]+$", host):
        host += ":" + str(source["port"])
    address = source["scheme"] + "://" + host + "/" + database + "?" + source["options"]
    return {"url": address, "user": unquote(user), "password": unquote(password)}


def on_glue(plan, arguments):
    """The plan with the catalog, the tables' places and the secrets that a job's arguments name."""
    if "database" in arguments:
        catalog = "spark.sql.catalog.lake"
        plan["settings"].update(
            {
                catalog: "org.apache.iceberg.spark.SparkCatalog",
                catalog + ".catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
                catalog + ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
                catalog + ".warehouse": arguments["warehouse"],
            }
        )
        for table in outputs(plan):
            head, namespace, name = table["target"].split(".", 2)
            table["target"] = head + "." + arguments["database"] + "_" + namespace + "." + name
    for name, source in plan["sources"].items():
        source["secret"] = arguments.get("secret-" + name, source.get("secret", ""))


def session(plan):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("mainstem " + plan["run"])
    for name, value in plan["settings"].items():
        builder = builder.config(name, value)
    return prepared(builder.getOrCreate(), plan)


def prepared(spark, plan):
    """A session that computes what the plan means."""
    for name, value in plan["meaning"].items():
        spark.conf.set(name, value)
    spark.sparkContext.setLogLevel("OFF")
    spark.udf.register("mainstem_mysql_double", mysql_double, "string")
    spark.udf.register("mainstem_double_bits", double_bits, "string")
    spark.udf.register("mainstem_float_bits", float_bits, "string")
    return spark


def mysql_double(x: float | None) -> str | None:
    """A double as MySQL prints it."""
    if x is None or not math.isfinite(x):
        return None if x is None else repr(x)
    sign, bare = ("-", repr(x)[1:]) if repr(x).startswith("-") else ("", repr(x))
    mantissa, _, power = bare.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0"
    if -15 < point <= 0:
        return sign + "0." + "0" * -point + digits
    if 0 < point <= 15 or 0 < point < len(digits):
        whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
        return sign + whole + ("." + fraction if fraction else "")
    return sign + digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + "e" + str(point - 1)


def double_bits(x: float | None) -> str | None:
    return None if x is None else struct.pack(">d", x).hex().upper()


def float_bits(x: float | None) -> str | None:
    return None if x is None else struct.pack(">f", x).hex().upper()


class Snapshot:
    """One connection to a source, in one consistent view: for questions, not for rows."""

    def __init__(self, spark, source, at):
        jvm = spark.sparkContext._jvm
        properties = jvm.java.util.Properties()
        properties.setProperty("user", at["user"])
        properties.setProperty("password", at["password"])
        driver = jvm
        for part in source["driver"].split("."):
            driver = getattr(driver, part)
        self._connection = driver().connect(at["url"], properties)
        self._statement = self._connection.createStatement()
        self._statement.setEscapeProcessing(False)
        for sql in [source["init"], *source["begin"]]:
            self._statement.execute(sql)

    def rows(self, sql):
        found = self._statement.executeQuery(sql)
        width = found.getMetaData().getColumnCount()
        rows = []
        while found.next():
            rows.append([found.getString(at + 1) for at in range(width)])
        found.close()
        return rows

    def close(self):
        self._connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def asked(rows, table):
    """A fingerprint: rows, checksum, NULLs by column."""
    total, checksum, *present = rows[0]
    nulls = {name: int(total) - int(n) for name, n in zip(table["nullable"], present, strict=True)}
    return {"rows": int(total), "checksum": str(checksum), "nulls": nulls}


def fingerprint_text(table, found):
    nulls = ",".join(name + "=" + str(number) for name, number in found["nulls"].items())
    return table["form"] + ":" + str(found["rows"]) + ":" + found["checksum"] + ":" + nulls


class Job:
    """One run of a plan."""

    def __init__(self, plan):
        self.plan = plan
        self.spark = session(plan)
        self.logins = {name: login(source) for name, source in plan["sources"].items()}
        self.tables = {}
        self.models = {}
        self.changed = set()
        self.snapshots = {}
        self.spaces = set()
        self.branch = plan.get("branch", "")
        self.read_as = []  # tables with the snapshot that has the rows in quarantine, too

    def run(self):
        for name, known in self.plan["attached"].items():
            self.view(known["view"], known["location"])
            self.snapshots[name] = known["snapshot"]
        for source in self.plan["sources"]:
            self.ingest(source, [t for t in self.plan["tables"] if t["source"] == source])
        for model in self.plan["models"]:
            self.model(model)
        self.publish()

    # Tables

    def ask(self, source):
        return Snapshot(self.spark, self.plan["sources"][source], self.logins[source])

    def ingest(self, source, tables):
        """Read the tables whose fingerprint has changed, then ask for all fingerprints in one snapshot: the
        lake equals the source as it stood at that moment, all tables together, or the job fails."""
        with self.ask(source) as snapshot:
            waiting = [table for table in tables if not self.stays(snapshot, table)]
        if not waiting:
            return
        kept = [table for table in tables if table not in waiting]
        for table in waiting:
            self.read(table)
        for last in (False, True):
            with self.ask(source) as snapshot:
                moved = [t for t in waiting + kept if not self.agrees(snapshot, t)]
                said = self.differing(snapshot, moved[0]) if moved and last else ""
                proven = [t for t in waiting if t not in moved] if last or not moved else []
                seen = [(t, self.marked(snapshot, t), self.moment(snapshot, t)) for t in proven]
            for table, marked, moment in seen:
                self.settle(table, marked, moment)
            if not moved:
                return
            if last:
                raise Failed("ProofFailed", "the load does not equal the source: " + said, moved[0]["name"])
            for table in moved:
                self.read(table)
            waiting, kept = waiting + [t for t in moved if t in kept], [t for t in kept if t not in moved]

    def stays(self, snapshot, table):
        """Keep the table as it stands, if the source's fingerprint says that it has not changed."""
        if table["known"] and table["level"] == "full":
            expected = asked(snapshot.rows(table["ask_source"]), table)
            if fingerprint_text(table, expected) == table["known"]["fingerprint"]:
                self.keep(table, expected, self.marked(snapshot, table))
                return True
        self.require_characters(snapshot, table)
        return False

    def differing(self, snapshot, table):
        """In what a table differs from the source, after it was read twice."""
        done = self.tables[table["name"]]
        said = "the source has {} rows, the lake {}".format(done["expected"]["rows"], done["rows"])
        if table["level"] == "full":
            pairs = zip(
                snapshot.rows(table["columns_source"])[0], self.collect(table["columns_lake"])[0], strict=True
            )
            names = [c["name"] for c, (a, b) in zip(table["columns"], pairs, strict=True) if int(a) != int(b)]
            said += "; columns that differ: " + ", ".join(names)
        return said + " (read twice; was it written to meanwhile?)"

    def require_characters(self, snapshot, table):
        if not table["checks"]:
            return
        for column, lost in zip(
            table["checks"]["columns"], snapshot.rows(table["checks"]["sql"])[0], strict=True
        ):
            if lost not in (None, "0"):
                raise Failed(
                    "ValueNotExact", "holds bytes that its character set does not know", table["name"], column
                )

    def marked(self, snapshot, table):
        """How many rows the source marks as deleted."""
        return int(snapshot.rows(table["ask_marked"])[0][0]) if table["ask_marked"] else 0

    def moment(self, snapshot, table):
        """The source's own time, UTC without a zone, for a table with a history."""
        if not table["history"]:
            return ""
        text = str(snapshot.rows(table["history"]["ask_now"])[0][0])
        found = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:\+00(?::?00)?)?", text)
        if not found:
            raise Failed("EngineFailed", "the source does not tell its time", table["name"])
        return found[1]

    def keep(self, table, expected, marked):
        known = table["known"]
        for name, one in {table["name"]: {**known, "view": table["view"]}, **known["beside"]}.items():
            self.view(one["view"], one["location"])
            self.snapshots[name] = one["snapshot"]
        self.tables[table["name"]] = {
            "status": "unchanged",
            "location": known["location"],
            "rows": known["rows"],
            "found": expected,
            "expected": expected,
            "deleted": marked,
            "beside": known["beside"],
            "seconds": 0.0,
        }

    def read(self, table):
        started = time.time()
        frame = self.rows(table)
        columns = [
            "{} AS `{}`".format(c["cast"].replace(":x", f"`c{n}`"), c["name"].replace("`", "``"))
            for n, c in enumerate(table["columns"])
        ]
        self.write(table, frame.selectExpr(*columns))
        self.changed.add(table["name"])
        done = self.tables[table["name"]] = {**self.written(table), "found": None, "beside": {}}
        done["status"] = "read"
        self.require_rows(table, done["rows"])
        if table["keeps"]:
            self.retain(table, done)
        if table["level"] == "full":
            done["found"] = asked(self.collect(table["ask_lake"]), table)
        done["seconds"] = time.time() - started

    def retain(self, table, done):
        """Rows of which the source no longer has the key are added to what was read."""
        view = quoted(table["view"])
        stands = self.standing(table)
        if not stands:
            return
        read = self.spark.read.option("snapshot-id", done["snapshot"]).table(table["target"])
        read.createOrReplaceTempView(view)
        names = ", ".join("a." + quoted(column["name"]) for column in table["columns"])
        parts = " UNION ALL ".join(f"SELECT {names} FROM {quoted(one)} a" for one in stands)
        same = " AND ".join("a.{0} <=> b.{0}".format(quoted(name)) for name in table["keeps"]["key"])
        kept = self.spark.sql(f"SELECT {names} FROM ({parts}) a LEFT ANTI JOIN {view} b ON {same}")
        self.fill(table, kept, replace=False)
        done.update(self.written(table))

    def standing(self, table):
        """Views of the rows that stand, those in quarantine, too."""
        if not self.branch:
            for one in table["keeps"]["stands"]:
                self.view(one["view"], one["location"])
            return [one["view"] for one in table["keeps"]["stands"]]
        views = []
        for one in (table, table["quarantine"]):
            if one:
                self.create(one)
                if described(self.iceberg(one), "main"):
                    views.append("kept " + one["name"])
                    self.spark.read.table(one["target"]).createOrReplaceTempView(quoted(views[-1]))
        return views

    def require_rows(self, table, rows):
        if rows == 0 and table["rows_before"] and not table["allow_empty"]:
            text = "there are no rows where the current release has {:,}".format(table["rows_before"])
            raise Failed("ProofFailed", text, table["name"])

    def rows(self, table):
        """The source's rows as JDBC gives them, in key ranges if the table is large."""
        source, at = self.plan["sources"][table["source"]], self.logins[table["source"]]
        options = {
            "user": at["user"],
            "password": at["password"],
            "driver": source["driver"],
            "fetchsize": str(source["fetch"]),
            "sessionInitStatement": source["init"],
            "customSchema": ", ".join("c{} {}".format(n, c["wire"]) for n, c in enumerate(table["columns"])),
        }
        ranges = self.ranges(table)
        if ranges:
            return self.spark.read.jdbc(at["url"], table["query"], predicates=ranges, properties=options)
        return self.spark.read.jdbc(at["url"], table["query"], properties=options)

    def ranges(self, table):
        split = table["split"]
        if not split:
            return []
        with self.ask(table["source"]) as snapshot:
            low, high = snapshot.rows(split["ask"])[0]
        if low is None:
            return []
        low, high = int(low), int(high)
        step = max(1, -(-(high - low + 1) // split["parts"]))
        starts = list(range(low, high + 1, step))
        key = split["key"]
        if len(starts) < 2:
            return []
        middle = [f"{key} >= {a} AND {key} < {b}" for a, b in itertools.pairwise(starts[1:])]
        return [f"{key} < {starts[1]} OR {key} IS NULL", *middle, f"{key} >= {starts[-1]}"]

    def agrees(self, snapshot, table):
        """Whether the lake's table is what the source holds in this snapshot."""
        done = self.tables[table["name"]]
        if table["level"] == "off":
            return True
        if table["level"] == "count":
            done["expected"] = {"rows": int(snapshot.rows(table["ask_rows"])[0][0])}
            return done["expected"]["rows"] == done["rows"]
        done["expected"] = asked(snapshot.rows(table["ask_source"]), table)
        return done["expected"] == done["found"]

    # What stands beside a table

    def settle(self, table, marked, moment):
        """A table that is proven to be the source: rows that break its contract go, its history follows."""
        started, done = time.time(), self.tables[table["name"]]
        done["deleted"] = marked
        if table["contract"]:
            self.judge(table, done)
        if table["outside"]:
            counts = self.collect(table["outside"]["sql"])[0]
            pairs = zip(table["outside"]["columns"], counts, strict=True)
            done["out_of_range"] = {name: number for name, number in pairs if number}
        if table["history"]:
            self.advance(table, done, moment)
        done["status"] = "done"
        done["seconds"] += time.time() - started

    def judge(self, table, done):
        """Rows that break the contract stop the run, or move to the quarantine: what was read is a snapshot
        of the table, the rows that are left are the next one."""
        contract, quarantine = table["contract"], table["quarantine"]
        total, *each = self.collect(contract["counts"])[0]
        pairs = zip(contract["rules"], each, strict=True)
        done["quarantined"], done["broken"] = total, {rule: number for rule, number in pairs if number}
        if total and not quarantine:
            self.refuse(table, done["broken"])
        if not quarantine:
            return
        from pyspark.sql.functions import lit

        read = self.spark.read.option("snapshot-id", done["snapshot"]).table(table["target"])
        read.createOrReplaceTempView(quoted(table["view"]))
        apart = self.spark.sql(contract["bad"]).withColumn("_run", lit(self.plan["run"]))
        rest = self.spark.sql(contract["good"])
        self.write(quarantine, apart)
        self.changed.add(quarantine["name"])
        aside = done["beside"][quarantine["name"]] = {**self.written(quarantine), "status": "done"}
        if not total:
            return
        was = done["rows"]
        self.fill(table, rest, replace=True)
        if self.branch:
            self.read_as.append((table, done["snapshot"]))  # the branch descends from it until it has moved
        else:
            self.forget(table, done["snapshot"])
        done.update(self.written(table))
        if done["rows"] + aside["rows"] != was or not self.adds_up(table, done["found"]):
            text = f"raw and quarantine together are not the {was:,} rows of the source"
            raise Failed("ProofFailed", text, table["name"], hint="nothing was published; report it")
        self.require_rows(table, done["rows"])

    def refuse(self, table, broken):
        contract = table["contract"]
        columns = {
            c for c, rule in zip(contract["columns"], contract["rules"], strict=True) if rule in broken
        }
        listed = "; ".join(
            "{} ({:,} {})".format(rule, number, "row" if number == 1 else "rows")
            for rule, number in broken.items()
        )
        raise Failed(
            "ProofFailed",
            "rows break the table's contract: " + listed,
            table["name"],
            columns.pop() if len(columns) == 1 else "",
            "correct them in the source, or set on_break: quarantine to load the others",
        )

    def adds_up(self, table, proven):
        """Whether the fingerprints of raw and quarantine together are the one that was proven, if any was."""
        if not proven:
            return True
        parts = []
        for part in (table["quarantine"], table):
            self.show(part, table["view"])
            parts.append(asked(self.collect(table["ask_lake"]), table))
        one, other = parts
        return proven == {
            "rows": one["rows"] + other["rows"],
            "checksum": str(int(one["checksum"]) + int(other["checksum"])),
            "nulls": {name: number + other["nulls"][name] for name, number in one["nulls"].items()},
        }

    def forget(self, table, snapshot):
        """Take a snapshot that is no longer the table's newest out of it, with its files."""
        self.iceberg(table).expireSnapshots().expireSnapshotId(snapshot).commit()

    def advance(self, table, done, moment):
        """Bring the table's history up to its rows: the versions that end or begin, and all others."""
        history, name = table["history"], table["name"]
        if self.collect(history["keys"])[0][0] != done["rows"]:
            text = "several rows have one key: their versions cannot be told apart"
            hint = "name a unique key under tables in mainstem.yml"
            raise Failed("ProofFailed", text, name, ", ".join(history["key"]), hint)
        stands = self.before(history)
        change = self.spark.sql(history["changes"].replace(":moment:", moment)).persist()
        change.createOrReplaceTempView(quoted(history["change"]))
        try:
            if stands and history["same"] and not change.head(1):
                self.spark.table(quoted(history["before"])).createOrReplaceTempView(quoted(history["view"]))
                self.snapshots[history["name"]] = stands["snapshot"]
                done["beside"][history["name"]] = {**stands, "status": "unchanged"}
                return
            self.write(history, self.spark.sql(history["merged"]))
        finally:
            change.unpersist()
        self.changed.add(history["name"])
        done["beside"][history["name"]] = {**self.written(history), "status": "done"}
        self.require_history(history, done["rows"])

    def before(self, history):
        """The history as it stands, in its view; None if there is none yet."""
        view = quoted(history["before"])
        if self.branch:
            self.create(history)
            self.require_columns(history, self.empty(history["ddl"]))
            self.spark.read.table(history["target"]).createOrReplaceTempView(view)
            return described(self.iceberg(history), "main")
        if history["known"]:
            self.view(history["before"], history["known"]["location"])
            return history["known"]
        self.empty(history["ddl"]).createOrReplaceTempView(view)
        return None

    def require_history(self, history, rows):
        """The present versions are the table's rows; no two versions of a key overlap."""
        unlike, present = self.collect(history["unlike"])[0]
        overlapping, doubled = self.collect(history["faults"])[0]
        if unlike or overlapping or doubled or present != rows:
            text = (
                "the history does not hold: {:,} rows, {:,} present versions, {:,} unlike, {:,} that overlap"
            )
            text = (text + ", {:,} present twice").format(rows, present, unlike, overlapping, doubled)
            raise Failed("ProofFailed", text, history["name"], hint="nothing was published; report it")

    # Models

    def model(self, model):
        name = model["name"]
        started = time.time()
        known = model["known"]
        if known and not any(one in self.changed for one in model["inputs"]):
            self.view(model["view"], known["location"])
            self.snapshots[name] = known["snapshot"]
            self.models[name] = {"status": "unchanged", "location": known["location"], "rows": known["rows"]}
            return
        self.write(model, self.spark.sql(model["sql"]))
        self.changed.add(name)
        done = self.models[name] = {**self.written(model), "status": "done"}
        done["digest"] = self.digest(model)
        done["answers"] = []
        for question in model["questions"]:
            rows = [[plain(v) for v in row] for row in self.collect(question["sql"])]
            done["answers"].append(rows)
            if not holds(question, rows) and not question["warning"]:
                done["status"] = "refused"
        done["seconds"] = time.time() - started
        if done["status"] == "refused":
            raise Failed("ProofFailed", "a promise does not hold", name)

    def digest(self, model: dict) -> str:
        """As `mainstem.plan.model_digest`: the text, the inputs' snapshots, the versions that compute it."""
        inputs = sorted(one + "@" + str(self.snapshots[one]) for one in model["inputs"])
        return hashlib.sha256("\n".join([self.plan["salt"], model["digest"], *inputs]).encode()).hexdigest()

    # Iceberg

    def write(self, table, frame):
        """The rows as the whole content of a new table, or of its branch, which nobody reads yet."""
        self.create(table)
        if self.branch:
            self.require_columns(table, frame)
            # Not CREATE OR REPLACE: it fails if a run that failed has left a branch of a table without rows.
            self.spark.sql(f"ALTER TABLE {table['target']} DROP BRANCH IF EXISTS {self.branch}")
            self.spark.sql(f"ALTER TABLE {table['target']} CREATE BRANCH {self.branch}")
        self.fill(table, frame, replace=bool(self.branch))

    def create(self, table):
        spark, target = self.spark, table["target"]
        space = target.rpartition(".")[0]
        if space not in self.spaces:
            spark.sql("CREATE NAMESPACE IF NOT EXISTS " + space)
            self.spaces.add(space)
        if not self.branch:
            spark.sql("DROP TABLE IF EXISTS " + target + " PURGE")
        properties = ", ".join(f"'{k}'='{text(v)}'" for k, v in table["properties"].items())
        location = " LOCATION '" + text(table["place"]) + "'" if table.get("place") else ""
        spark.sql(
            "CREATE TABLE IF NOT EXISTS {} ({}) USING iceberg{} TBLPROPERTIES ({})".format(
                target, table["ddl"], location, properties
            )
        )

    def fill(self, table, frame, *, replace):
        writer = frame.writeTo(table["target"] + (".branch_" + self.branch if self.branch else ""))
        for name, value in table["summary"].items():
            writer = writer.option("snapshot-property." + name, value)
        try:
            if replace:
                writer.overwrite(self.everything())
            else:
                writer.append()
        except spark_errors() as error:
            raise explained(error, table["name"]) from None

    def require_columns(self, table, frame):
        """A table that stands and is read by others is not given other columns."""
        stands = [
            (f.name, f.dataType.simpleString()) for f in self.spark.table(table["target"]).schema.fields
        ]
        if stands != [(f.name, f.dataType.simpleString()) for f in frame.schema.fields]:
            text = "has other columns than the table that stands: move that one away, and run again"
            raise Failed("ProofFailed", text, table["name"])

    @staticmethod
    def everything():
        from pyspark.sql.functions import lit

        return lit(True)

    def publish(self):
        """Every proof has held: each table moves to what was staged beside it."""
        for table in outputs(self.plan):
            if self.branch and table["name"] in self.changed:
                catalog, _, name = table["target"].partition(".")
                self.spark.sql(f"CALL {catalog}.system.fast_forward('{text(name)}', 'main', '{self.branch}')")
        for table, snapshot in self.read_as:
            self.forget(table, snapshot)

    def written(self, table):
        """What the table's metadata says, without a query; its view shows what was written."""
        found = described(self.iceberg(table), self.branch or "main")
        self.show(table, table["view"])
        self.snapshots[table["name"]] = found["snapshot"]
        return found

    def iceberg(self, table):
        """The table as Iceberg's own object."""
        util = self.spark.sparkContext._jvm.org.apache.iceberg.spark.Spark3Util
        return util.loadIcebergTable(self.spark._jsparkSession, table["target"])

    def show(self, table, view):
        """What was written to a table, as a view."""
        reader = self.spark.read.option("branch", self.branch) if self.branch else self.spark.read
        reader.table(table["target"]).createOrReplaceTempView(quoted(view))

    def empty(self, ddl):
        return self.spark.createDataFrame([], ddl)

    def view(self, name, location):
        self.spark.read.format("iceberg").load(location).createOrReplaceTempView(quoted(name))

    def collect(self, sql):
        return [list(row) for row in self.spark.sql(sql).collect()]


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def text(value):
    return value.replace("\\", "\\\\").replace("'", "\\'")


def described(made, branch):
    """Where a branch of an Iceberg table stands; None if it has no snapshot."""
    snapshot = made.snapshot(branch)
    if snapshot is None:
        return None
    return {
        "location": made.operations().current().metadataFileLocation(),
        "snapshot": snapshot.snapshotId(),
        "rows": int(snapshot.summary().get("total-records")),
    }


def plain(value):
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def holds(question: dict, rows: list) -> bool:
    """Whether a promise holds, by the rule of its question."""
    rule = question["rule"]
    if rule == "no rows":
        return not rows
    first = rows[0]
    if rule == "zero":
        return not any(first)
    if rule == "pair":
        return bool(first[0] == first[1])
    if rule == "not emptied":
        return bool(first[0] > 0 or not question["before"])
    if rule == "reference":
        return bool(not first[0] and first[2] == first[3])
    return same_number(first[0], first[2], bool({"DOUBLE", "FLOAT"} & {first[1], first[3]}))


def same_number(left: str | None, right: str | None, approximate: bool) -> bool:
    try:
        a, b = Decimal(left or "0"), Decimal(right or "0")
    except InvalidOperation:
        return left == right
    if not (a.is_finite() and b.is_finite()):
        return str(a) == str(b)
    return bool(a == b or (approximate and abs(a - b) <= Decimal("1e-9") * max(abs(a), abs(b))))


def spark_errors():
    """What Spark and its gateway raise."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return PySparkException, Py4JError


def explained(error, table):
    """A failed read or write with its cause, without the values of rows."""
    said = str(error)
    ours = re.search(r"java\.lang\.RuntimeException: (a [^\n]*)", said)
    if ours or "RAISE_ERROR" in said:
        return Failed("ValueNotExact", ours[1] if ours else "a value cannot be held", table)
    if "CAST_INVALID_INPUT" in said or "CAST_OVERFLOW" in said or "NUMERIC_VALUE_OUT_OF_RANGE" in said:
        return Failed("ValueNotExact", "a value does not fit its type in the lake", table)
    if "NOT_NULL_ASSERT_VIOLATION" in said or "Null value appeared in non-nullable field" in said:
        return Failed("ValueNotExact", "holds NULL although it is declared NOT NULL", table)
    if "SQLException" in said or "SQLNonTransientConnectionException" in said or "PSQLException" in said:
        return Failed("SourceUnavailable", "the source refused the read, or went away", table)
    if type(error).__name__ in ("AnalysisException", "ParseException"):  # of a query, before it reads rows
        return Failed("EngineFailed", "Spark failed: " + said.strip().splitlines()[0][:200], table)
    return Failed("EngineFailed", "Spark failed: " + error_class(error, said), table)


def error_class(error, said):
    """The name of an error, which holds no value of a row: Spark's own, else that of the Java class."""
    own = re.search(r"(?:^|Exception: |Error: )\[([A-Z][A-Z0-9_.]+)\]", said)
    java = re.search(r"^(?:: )?((?:[a-z]\w*\.)+[A-Z]\w*)(?::|$)", said, re.MULTILINE)
    return own[1] if own else java[1] if java else type(error).__name__


def work(plan):
    """Run a plan; its result as a document."""
    began = time.time()
    result = {"format": 1, "run": plan["run"], "status": "failed", "error": None}
    job = None
    try:
        job = Job(plan)
        result["started_seconds"] = time.time() - began
        job.run()
        result["status"] = "done"
    except Failed as failure:
        result["error"] = failure.told()
    except Exception as error:
        # The last resort: whatever it was, a result says that the run failed. What is no error of Spark's is
        # a defect of ours, whose trace the log has.
        if type(error).__module__.partition(".")[0] not in ("pyspark", "py4j"):
            traceback.print_exc()
        result["error"] = explained(error, "").told()
    result["tables"] = job.tables if job else {}
    result["models"] = job.models if job else {}
    result["seconds"] = time.time() - began
    return result, job


def main(plan_path, result_path, arguments):
    plan = json.loads(read_text(plan_path))
    name_run(plan)
    on_glue(plan, arguments)
    result, job = work(plan)
    write_text(result_path, json.dumps(result))
    if job:
        job.spark.stop()
    if result["error"]:
        print(result["error"]["kind"] + ": " + result["error"]["message"], file=sys.stderr)
        sys.exit(3 if result["error"]["kind"] in ("ProofFailed", "ValueNotExact") else 4)


def arguments_of(argv):
    """`--name value` pairs, as AWS Glue hands them over; others are left out."""
    return {name[2:]: value for name, value in itertools.pairwise(argv) if name.startswith("--")}


if __name__ == "__main__":
    named = arguments_of(sys.argv[1:])
    if "plan" in named:
        main(named["plan"], named.get("result", named["plan"].rpartition("/")[0] + "/result.json"), named)
    else:
        main(sys.argv[1], sys.argv[2], {})
