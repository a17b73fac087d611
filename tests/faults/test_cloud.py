"""S3 and Glue behind a proxy that refuses, loses, lies and cuts: the real client, an emulator of AWS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pyiceberg.table import StaticTable

from faults.launcher import Job, Launcher
from faults.ledger import Row, text_of
from faults.world import World, build
from servers.httpproxy import ALWAYS, HttpProxy, Rule
from servers.ministack import REGION, ROOT_KEYS, Ministack

BUCKET, DATABASE = "bank-lake", "bank"


@dataclass
class Cloud:
    """A world with an AWS target behind the proxy."""

    world: World
    aws: Ministack
    proxy: HttpProxy
    after: dict[str, str] = field(default_factory=dict)  # the pointers when publishing had failed

    def publish(self) -> Job:
        """A new state, proven here, then copied there."""
        return self.world.call("publish", env={**ROOT_KEYS, "AWS_REGION": REGION}, timeout=200)

    def renew(self) -> None:
        """Something new to publish."""
        self.proxy.rules = []
        self.world.ledger.commit()
        self.world.converges()

    def pointers(self) -> dict[str, str]:
        """Where Glue says that each table is: `raw.clock`, …"""
        glue = self.aws.client("glue")
        return {
            f"{namespace}.{one['Name']}": one["Parameters"]["metadata_location"]
            for namespace in ("raw", "mart")
            for one in glue.get_tables(DatabaseName=f"{DATABASE}_{namespace}")["TableList"]
        }

    def tables(self) -> dict[str, list[Row]]:
        """What a reader of Glue and S3 sees, by pyiceberg, past the proxy."""
        keys = {"s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": REGION}
        place = {**keys, "s3.endpoint": self.aws.endpoint, "s3.force-virtual-addressing": "False"}
        found = {}
        for name, location in self.pointers().items():
            table = StaticTable.from_metadata(location, place).scan().to_arrow()
            columns = (column.to_pylist() for column in table.columns)
            found[name] = [tuple(map(text_of, row)) for row in zip(*columns, strict=True)]
        return found

    def shows(self) -> int:
        """The state that is there, whole."""
        return self.world.ledger.judge_tables(self.tables())

    def readable(self) -> None:
        """Each table, taken alone, is that of the state before or of the newest one (there is no transaction
        over tables in Glue: docs/aws.md)."""
        for name, rows in self.tables().items():
            if name.startswith("raw."):
                states = self.world.ledger.states[-2:]
                assert Counter(rows) in [state.rows(name[4:]) for state in states], name

    def well(self) -> None:
        """The fault is over: publishing again is well, and shows the newest state."""
        self.proxy.rules = []
        done = self.publish()
        assert done.code == 0, done.text
        assert self.shows() == self.world.ledger.now


@pytest.fixture(scope="module")
def shared(launcher: Launcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    with Ministack(folder / "aws") as aws, HttpProxy(aws.port) as proxy:
        aws.bucket(BUCKET)
        for namespace in ("raw", "mart"):
            aws.client("glue").create_database(DatabaseInput={"Name": f"{DATABASE}_{namespace}"})
        world = build("sqlite", folder, launcher, None)
        with (world.root / "mainstem.yml").open("a") as file:
            file.write(
                f"targets:\n  aws: {{engine: aws, region: {REGION}, bucket: {BUCKET}, database: {DATABASE},"
                f" secrets: {{bank: bank/reader}}, endpoint: 'http://127.0.0.1:{proxy.port}',"
                " workgroup: primary}\n"
            )
        made = Cloud(world, aws, proxy)
        made.well()
        yield made


@pytest.fixture
def cloud(shared: Cloud) -> Cloud:
    """The same with something new, after whatever was before."""
    shared.renew()
    return shared


def failed(cloud: Cloud, rule: Rule, *said: str) -> None:
    """Publishing ends with exit 4 and these words; what is there can be read, and the next try is well."""
    done = cloud.publish()
    assert rule.fired
    assert done.code == 4, done.text
    cloud.world.is_clean(done)
    for words in said:
        assert words in done.err, done.text
    cloud.readable()
    cloud.after = cloud.pointers()
    cloud.well()


def test_f28_what_passes_is_tried_again(cloud: Cloud) -> None:
    """A store that is busy for a moment, answers that are lost, cut or slow: asked again, or looked at; never
    done twice."""
    rules = [
        Rule("PUT object", "/data/", error=(503, "SlowDown"), times=2),
        Rule("PUT object", "/data/", after=2, lost=True),
        Rule("PUT object", "/metadata/", error=(500, "InternalError")),
        Rule("PUT object", "/metadata/", after=2, lost=True),
        Rule("GET object", "/metadata/", cut=True),
        Rule("GET object", "/metadata/", after=1, slow=0.005),
        Rule("GetTable", lost=True),
        Rule("UpdateTable", lost=True),
    ]
    cloud.proxy.rules = list(rules)
    done = cloud.publish()
    assert [rule.fired for rule in rules] == [rule.times for rule in rules], done.text
    assert done.code == 0, done.text
    assert cloud.shows() == cloud.world.ledger.now


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"what": "PUT object", "path": "/data/", "error": (503, "SlowDown")}, "SlowDown"),
        ({"what": "GET object", "path": "/metadata/", "cut": True}, "try again"),
    ],
    ids=["slow down", "cut"],
)
def test_f28_what_does_not_pass_is_told(cloud: Cloud, how: dict[str, object], said: str) -> None:
    """The tables stay where they were, readable."""
    before = cloud.pointers()
    failed(cloud, cloud.proxy.rule(**how, times=ALWAYS), said)
    assert cloud.after == before


def test_f26_a_pointer_of_which_no_answer_comes(cloud: Cloud) -> None:
    """The catalog obeys, its answer is lost, and then it says nothing more: the outcome is not known, so that
    no file goes to which it may refer."""
    rule = cloud.proxy.rule(what="UpdateTable", lost=True, after=1)
    silence = Rule(what="GetTable", error=(500, "InternalServiceException"), times=ALWAYS)
    rule.act = lambda: cloud.proxy.rules.insert(0, silence)
    before = cloud.pointers()
    failed(cloud, rule)
    assert silence.fired
    assert len(set(cloud.after.items()) - set(before.items())) == 2, "the second one has moved"


@pytest.mark.parametrize(
    "how",
    [
        {"what": "UpdateTable"},
        {"what": "PUT object", "path": "/data/"},
        {"what": "PUT object", "path": ".metadata.json"},
    ],
    ids=["pointer", "data", "metadata"],
)
def test_f27_a_success_that_was_none(cloud: Cloud, how: dict[str, object]) -> None:
    """What is said to be there is looked at before anything builds on it."""
    failed(cloud, cloud.proxy.rule(**how, lies=True), "is not there")


def test_f29_nothing_is_listed(cloud: Cloud) -> None:
    """What a listing shows, and when, decides nothing: none is asked for."""
    rule = cloud.proxy.rule(what="GET list", error=(500, "InternalError"), times=ALWAYS)
    cloud.proxy.log.clear()
    assert cloud.publish().code == 0
    assert len(cloud.proxy.log) > 20
    assert not rule.fired
    record = json.loads(cloud.aws.client("s3").get_object(Bucket=BUCKET, Key=newest(cloud))["Body"].read())
    assert record["tables"] == cloud.pointers()


def newest(cloud: Cloud) -> str:
    """The key of the last release's record."""
    found = cloud.aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="lake/releases/")["Contents"]
    return str(max(found, key=lambda one: one["LastModified"])["Key"])


def test_f30_credentials_expire(cloud: Cloud) -> None:
    """In the middle: said so, not tried again; with new ones it goes on, whoever held the lock."""
    rule = cloud.proxy.rule(what="PUT object", path="/data/", after=1, error=(403, "ExpiredToken"))
    rule.act = lambda: cloud.proxy.rules.append(Rule(error=(403, "ExpiredToken"), times=ALWAYS))
    failed(cloud, rule, "AWS refused: ExpiredToken", "look at the credentials")
    assert rule.seen == 2
