"""The lake in S3 under the Glue catalog: published exactly, read by others, never overwritten."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from cloud.conftest import Account
from cloud.test_policies import PUBLISHER, READER, Identity
from mainstem import wiring
from mainstem.catalog.glue import GlueCatalog, Shown, hive_type
from mainstem.engine.session import extension
from mainstem.errors import LakeRefused, LakeUnavailable
from mainstem.lake import s3 as s3_module
from mainstem.lake.publish import Published, Remote, publish
from mainstem.lake.s3 import Lock, S3Files
from mainstem.project.load import load_project
from mainstem.schema import Kind, TableName, Type
from servers.ministack import CLOUD, REGION, Ministack
from support import execute_sql, mainstem, make_project, run

NAMES = (f"lake-{number}" for number in itertools.count())
ORDERS = TableName("raw", "orders")


class Place:
    """A bucket and two Glue databases of their own."""

    def __init__(self, aws: Ministack) -> None:
        self.aws = aws
        self.name = next(NAMES)
        aws.bucket(self.name)
        stem = self.name.replace("-", "_")
        self.databases = {namespace: f"{stem}_{namespace}" for namespace in ("raw", "mart")}
        for database in self.databases.values():
            aws.client("glue").create_database(DatabaseInput={"Name": database})

    def catalog(self, client: Any = None) -> GlueCatalog:
        return GlueCatalog(client or self.aws.client("glue"), self.databases)

    def remote(self, client: Any = None) -> Remote:
        s3 = self.aws.client("s3")
        return Remote(f"s3://{self.name}/lake", self.catalog(client), lambda: S3Files(s3))

    def target(self) -> str:
        """mainstem.yml's part."""
        database = self.databases["raw"].removesuffix("_raw")
        return (
            f"targets:\n  aws: {{engine: aws, region: {REGION}, bucket: {self.name}, database: {database},"
            f" secrets: {{shop: shop/reader}}, endpoint: '{self.aws.endpoint}', workgroup: primary}}\n"
        )

    def duckdb(self) -> duckdb.DuckDBPyConnection:
        """A reader that knows nothing of Mainstem: DuckDB with its Iceberg and S3 extensions."""
        opened = duckdb.connect(config={"autoinstall_known_extensions": False})
        for name in ("avro", "iceberg", "httpfs"):
            opened.execute(f"LOAD '{extension(name)}'")
        host = self.aws.endpoint.removeprefix("http://")
        opened.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION '{REGION}', ENDPOINT '{host}',"
            " USE_SSL false, URL_STYLE 'path')"
        )
        return opened

    def rows(self, name: TableName) -> list[tuple[Any, ...]]:
        """A table's rows, read by DuckDB at the place that Glue names."""
        location = self.catalog().location(name)
        with self.duckdb() as opened:
            return opened.execute(f"SELECT * FROM iceberg_scan('{location}') ORDER BY ALL").fetchall()


@pytest.fixture
def place(credentials: Ministack) -> Place:
    """An empty place."""
    return Place(credentials)


@pytest.fixture
def filled(place: Place, tmp_path: Path) -> Path:
    """A project that ran once here."""
    root = make_project(tmp_path / "shop")
    with (root / "mainstem.yml").open("a") as file:
        file.write(place.target())
    assert run(root).status == "published"
    return root


def published(root: Path, remote: Remote) -> dict[str, Published]:
    release = wiring.current_release(wiring.open_lake(load_project(root)))
    return {str(one.name): one for one in publish(release, remote)}


def local_rows(root: Path, name: TableName) -> list[tuple[Any, ...]]:
    with wiring.connect(root) as opened:
        return opened.execute(f'SELECT * FROM {name.namespace}."{name.name}" ORDER BY ALL').fetchall()


TABLES = [TableName("raw", n) for n in ("customers", "orders", "order_lines")]
TABLES += [TableName("mart", n) for n in ("dim_customers", "fact_lines")]


def test_what_stands_there_is_what_stands_here(place: Place, filled: Path) -> None:
    done = published(filled, place.remote())
    assert sorted(done) == sorted(map(str, TABLES))
    for name in TABLES:
        assert place.rows(name) == local_rows(filled, name)
    record = place.aws.client("s3").list_objects_v2(Bucket=place.name, Prefix="lake/releases/")["Contents"]
    text = place.aws.client("s3").get_object(Bucket=place.name, Key=record[0]["Key"])["Body"].read()
    assert json.loads(text)["tables"] == {name: one.metadata_location for name, one in done.items()}


def test_an_object_is_there_or_not_or_nobody_can_say(place: Place) -> None:
    files = S3Files(place.aws.client("s3"))
    assert not files.exists(f"s3://{place.name}/one")
    files.write(f"s3://{place.name}/one", b"1")
    assert files.exists(f"s3://{place.name}/one")
    with pytest.raises(LakeRefused):  # no such bucket is no answer about an object
        files.exists(f"s3://no-{place.name}/one")


def test_pyiceberg_reads_and_writes_on_through_its_own_glue_catalog(place: Place, filled: Path) -> None:
    from pyiceberg.catalog.glue import GlueCatalog as Theirs

    published(filled, place.remote())
    keys = {"s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": REGION}
    theirs = Theirs("aws", **{**keys, "glue.endpoint": place.aws.endpoint, "s3.endpoint": place.aws.endpoint})
    table = theirs.load_table((place.databases["raw"], "orders"))
    before = table.scan().to_arrow()
    assert before.num_rows == 5
    table.append(before.slice(0, 2))
    assert len(place.rows(ORDERS)) == 7
    # What somebody else has added is replaced by the next release, not mixed into it.
    execute_sql(filled / "shop.db", "insert into orders values (15, 1, '2005-06-01', 'new')")
    assert run(filled).status == "published"
    assert published(filled, place.remote())["raw.orders"].changed
    assert place.rows(ORDERS) == local_rows(filled, ORDERS)


def test_awswrangler_sees_the_tables_and_their_types(place: Place, filled: Path) -> None:
    published(filled, place.remote())
    program = (
        "import awswrangler as wr, json, sys\n"
        "wr.config.glue_endpoint_url = sys.argv[1]\n"
        "print(json.dumps(wr.catalog.get_table_types(database=sys.argv[2], table='order_lines')))"
    )
    done = subprocess.run(
        [str(CLOUD / "python"), "-c", program, place.aws.endpoint, place.databases["raw"]],
        env={**os.environ, **place.aws.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    types = {"order_number": "bigint", "line_number": "bigint", "product": "string", "quantity": "bigint"}
    assert json.loads(done.stdout) == {**types, "price": "decimal(10,2)"}


def test_only_what_is_new_is_uploaded(place: Place, filled: Path) -> None:
    published(filled, place.remote())
    again = published(filled, place.remote())
    assert not any(one.changed or one.uploaded for one in again.values())
    execute_sql(filled / "shop.db", "update orders set comments = 'changed' where order_number = 10")
    assert run(filled).status == "published"
    third = published(filled, place.remote())
    assert third["raw.orders"].uploaded
    assert not third["raw.customers"].changed
    assert place.rows(ORDERS) == local_rows(filled, ORDERS)


def test_columns_that_change_are_followed(place: Place, filled: Path) -> None:
    published(filled, place.remote())
    execute_sql(filled / "shop.db", "alter table customers add column since date")
    assert run(filled).status == "published"
    published(filled, place.remote())
    assert place.rows(TableName("raw", "customers")) == local_rows(filled, TableName("raw", "customers"))
    entry = place.aws.client("glue").get_table(DatabaseName=place.databases["raw"], Name="customers")["Table"]
    assert entry["StorageDescriptor"]["Columns"][-1] == {"Name": "since", "Type": "date"}


def test_the_command_publishes(place: Place, filled: Path) -> None:
    done = mainstem("publish", cwd=filled, env=place.aws.environment)
    assert done.returncode == 0, done.stderr
    assert f"stands in s3://{place.name}/lake: 5 tables of 5 changed" in done.stdout
    again = mainstem("publish", "--target", "aws", cwd=filled, env=place.aws.environment)
    assert "0 tables of 5 changed, 0 B uploaded" in again.stdout


def test_without_credentials_it_says_so(place: Place, filled: Path) -> None:
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": "true"}
    done = mainstem("publish", cwd=filled, env={**nobody, "HOME": str(filled)})
    assert done.returncode == 4
    assert "there are no AWS credentials" in done.stderr


def test_the_publishers_policy_is_enough(account: Account, filled: Path) -> None:
    """The same, into the bucket that Terraform made, as somebody with the publisher's policy alone."""
    identity = Identity(account, "as-publisher", PUBLISHER)
    config = (filled / "mainstem.yml").read_text().partition("targets:")[0]
    target = "{engine: aws, region: eu-west-1, bucket: shop-lake, secrets: {shop: shop/reader}, endpoint: "
    (filled / "mainstem.yml").write_text(f"{config}targets:\n  aws: {target}'{account.aws.endpoint}'}}\n")
    environment = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), identity.keys, strict=True))
    done = mainstem("publish", cwd=filled, env=environment)
    assert done.returncode == 0, done.stderr
    found = account.aws.client("glue").get_table(DatabaseName="shop_mart", Name="fact_lines")["Table"]
    assert found["Parameters"]["metadata_location"].startswith("s3://shop-lake/lake/mart/")
    reader = Identity(account, "as-reader-who-publishes", READER)
    keys = dict(zip(environment, reader.keys, strict=True))
    refused = mainstem("publish", cwd=filled, env=keys)
    assert refused.returncode == 4
    assert "AWS refused: AccessDenied" in refused.stderr
    assert not identity.may("s3", "get_object", Bucket="shop-lake", Key="job/plan.json")
    assert not identity.may("s3", "put_object", Bucket="shop-lake", Key="job/plan.json", Body=b"x")
    assert not identity.may("glue", "delete_table", DatabaseName="shop_mart", Name="fact_lines")
    assert not identity.may("secretsmanager", "get_secret_value", SecretId="shop/reader")


# The pointer


class Through:
    """A Glue client of which one method does something else."""

    def __init__(self, client: Any, **methods: Any) -> None:
        self._client = client
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._client, name)


def count_up(catalog: GlueCatalog, times: int) -> None:
    """Raise the number in a table's pointer as a writer does: read, add one, swap; again if refused."""
    done = 0
    while done < times:
        present = catalog.location(ORDERS)
        new = f"s3://b/metadata/{number_of(present) + 1}-{uuid.uuid4()}"  # as metadata files are named
        done += catalog.swap(ORDERS, present, new, Shown((), "s3://b"))


def number_of(location: str | None) -> int:
    return int((location or "0").rpartition("/")[2].partition("-")[0])


def counted(catalog: GlueCatalog) -> int:
    return number_of(catalog.location(ORDERS))


WRITERS, TIMES = 6, 10


def test_no_writer_loses_what_another_wrote(place: Place) -> None:
    count_up(place.catalog(), 1)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda _: count_up(place.catalog(), TIMES), range(WRITERS)))
    assert counted(place.catalog()) == 1 + WRITERS * TIMES


def test_without_the_version_writers_lose(place: Place) -> None:
    """The negative control: the same writers, and nobody says which version they replace."""

    def careless() -> GlueCatalog:
        client = place.aws.client("glue")

        def update(VersionId: str, **arguments: Any) -> Any:  # noqa: N803
            return client.update_table(**arguments)

        return place.catalog(Through(client, update_table=update))

    count_up(place.catalog(), 1)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda _: count_up(careless(), TIMES), range(WRITERS)))
    assert counted(place.catalog()) < 1 + WRITERS * TIMES


def test_a_table_made_twice_at_once_is_made_once(place: Place) -> None:
    def make(number: int) -> bool:
        return place.catalog().swap(ORDERS, None, f"s3://b/metadata/{number}")

    with ThreadPoolExecutor(WRITERS) as pool:
        won = list(pool.map(make, range(WRITERS)))
    assert won.count(True) == 1
    assert counted(place.catalog()) == won.index(True)


LOST = [
    ConnectionClosedError(endpoint_url="http://glue"),
    EndpointConnectionError(endpoint_url="http://glue"),
]


@pytest.mark.parametrize("how", ["conflict", *LOST], ids=["conflict", "closed", "no endpoint"])
def test_a_commit_that_landed_is_known_to_have_landed(place: Place, filled: Path, how: Any) -> None:
    """Glue obeys, and the answer is lost, or the SDK's second try says "conflict": the snapshot stays, its
    files too, and the table can be read."""
    published(filled, place.remote())
    execute_sql(filled / "shop.db", "update orders set comments = 'landed' where order_number = 10")
    assert run(filled).status == "published"
    client = place.aws.client("glue")
    fired = []

    def obeyed(**arguments: Any) -> Any:
        client.update_table(**arguments)
        fired.append(arguments["TableInput"]["Name"])
        if how == "conflict":
            return client.update_table(**arguments)  # the version has moved: refused
        raise how

    published(filled, place.remote(Through(client, update_table=obeyed)))
    assert "orders" in fired
    assert place.rows(ORDERS) == local_rows(filled, ORDERS)


def test_a_commit_that_did_not_land_is_told_and_keeps_its_files(place: Place, filled: Path) -> None:
    """No answer, and no change: the outcome is not certain, so nothing is deleted; the next try goes on."""
    before = published(filled, place.remote())
    execute_sql(filled / "shop.db", "update orders set comments = 'lost' where order_number = 10")
    assert run(filled).status == "published"

    def lost(**arguments: Any) -> Any:
        raise LOST[0]

    with pytest.raises(LakeUnavailable):
        published(filled, place.remote(Through(place.aws.client("glue"), update_table=lost)))
    assert place.catalog().location(ORDERS) == before["raw.orders"].metadata_location
    assert len(place.rows(ORDERS)) == 5
    published(filled, place.remote())
    assert place.rows(ORDERS) == local_rows(filled, ORDERS)


def test_who_is_overtaken_says_so_and_leaves_no_metadata(place: Place, filled: Path) -> None:
    published(filled, place.remote())
    execute_sql(filled / "shop.db", "update orders set comments = 'mine' where order_number = 10")
    assert run(filled).status == "published"
    client = place.aws.client("glue")

    def overtaken(**arguments: Any) -> Any:
        table = client.get_table(DatabaseName=arguments["DatabaseName"], Name="orders")["Table"]
        theirs = {
            "Name": "orders",
            "Parameters": {**table["Parameters"], "metadata_location": "s3://x/metadata/9"},
        }
        client.update_table(DatabaseName=arguments["DatabaseName"], TableInput=theirs)
        return client.update_table(**arguments)

    with pytest.raises(LakeUnavailable, match="another publisher has committed"):
        published(filled, place.remote(Through(client, update_table=overtaken)))
    assert place.catalog().location(ORDERS) == "s3://x/metadata/9"


def test_a_table_of_another_format_is_not_taken_over(place: Place) -> None:
    other = {"Name": "orders", "StorageDescriptor": {"Columns": []}, "TableType": "EXTERNAL_TABLE"}
    place.aws.client("glue").create_table(DatabaseName=place.databases["raw"], TableInput=other)
    with pytest.raises(LakeRefused, match="not Iceberg"):
        place.catalog().swap(ORDERS, None, "s3://b/metadata/1")
    assert place.catalog().tables() == {}


def test_tables_are_listed_and_dropped(place: Place) -> None:
    catalog = place.catalog()
    assert catalog.swap(ORDERS, None, "s3://b/metadata/1")
    assert not catalog.swap(ORDERS, "s3://b/metadata/0", "s3://b/metadata/2")
    assert catalog.tables() == {ORDERS: "s3://b/metadata/1"}
    assert catalog.drop(ORDERS)
    assert not catalog.drop(ORDERS)
    assert catalog.location(ORDERS) is None


def test_every_type_has_a_word_in_glue() -> None:
    words = {kind: hive_type(Type(kind)) for kind in Kind if kind is not Kind.DECIMAL}
    assert words[Kind.LONG] == "bigint"
    assert words[Kind.TIMESTAMPTZ] == words[Kind.TIMESTAMP] == "timestamp"
    assert hive_type(Type(Kind.DECIMAL, 10, 2)) == "decimal(10,2)"
    assert set(words.values()) <= {
        *("boolean", "int", "bigint", "float", "double", "string", "binary", "date", "timestamp")
    }


# The lock


def lock(place: Place, host: str, process: int = 1) -> Lock:
    return Lock(place.aws.client("s3"), f"s3://{place.name}/lake/publisher.lock", host, process)


def test_one_publisher_at_a_time(place: Place) -> None:
    with lock(place, "ann") as held:
        with (
            pytest.raises(LakeUnavailable, match="another publisher is at work: process 1 on ann"),
            lock(place, "bob"),
        ):
            pass
        held.renew()
    with lock(place, "bob"):
        pass


def test_a_dead_publisher_is_succeeded_and_notices(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = lock(place, "ann").__enter__()
    monkeypatch.setattr(s3_module, "LEASE", -s3_module.LEASE)
    with lock(place, "bob") as held:
        with pytest.raises(LakeUnavailable, match="lost to another publisher"):
            dead.renew()
        dead.__exit__()  # takes nothing away from bob
        held.renew()


def test_a_dead_process_of_this_machine_is_succeeded_at_once(place: Place) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock(place, "ann", ended.pid).__enter__()
    with pytest.raises(LakeUnavailable), lock(place, "bob"):
        pass  # of another machine's processes nothing is known
    with lock(place, "ann", os.getpid()), pytest.raises(LakeUnavailable), lock(place, "ann", 2):
        pass  # this process lives


def test_killed_between_two_pointers_the_next_one_finishes(place: Place, filled: Path) -> None:
    crash = {"MAINSTEM_CRASH_AT": "remote.pointer:3"}
    done = mainstem("publish", cwd=filled, env={**place.aws.environment, **crash})
    assert done.returncode == -9
    assert len(place.catalog().tables()) == 2
    again = mainstem("publish", cwd=filled, env=place.aws.environment)
    assert again.returncode == 0, again.stderr
    assert "3 tables of 5 changed" in again.stdout
    for name in TABLES:
        assert place.rows(name) == local_rows(filled, name)


def test_many_at_the_lock_one_gets_it(place: Place) -> None:
    def attempt(number: int) -> bool:
        try:
            lock(place, str(number)).__enter__()
        except LakeUnavailable:
            return False
        return True

    with ThreadPoolExecutor(WRITERS) as pool:
        assert list(pool.map(attempt, range(WRITERS))).count(True) == 1


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """boto3's pools leave sockets to the collector; here they are closed in the test that opened them."""
    yield
    import gc

    gc.collect()
