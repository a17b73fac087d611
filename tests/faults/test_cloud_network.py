"""`mainstem publish` over connections that stall, break, trickle and lose answers: small objects, one of
several parts, the lock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.table import StaticTable

from mainstem import wiring
from mainstem.project.load import load_project
from mainstem.project.targets import AwsTarget
from servers.httpproxy import ALWAYS, HttpProxy, Rule
from servers.ministack import REGION, ROOT_KEYS, Ministack
from support import ask, execute_sql, mainstem, make_project, run

BUCKET, DATABASE = "net-lake", "net"
TIMEOUT = 2.0
SOURCE = """
create table small (id integer primary key, note text not null);
insert into small values (1, 'one');
create table large (id integer primary key, block blob not null);
"""
FILL = """
delete from large;
with recursive n(i) as (select 1 union all select i + 1 from n where i < 600)
insert into large select i, randomblob(16384) from n;
update small set note = note || '!';
"""  # 9.8 MB that no codec makes smaller: boto3 sends more than 8 MB in parts
COMPLETE = "POST complete"


@dataclass
class Place:
    """A project with something new to publish, and what is there."""

    root: Path
    aws: Ministack
    proxy: HttpProxy
    before: dict[str, str] = field(default_factory=dict)

    def renew(self) -> None:
        """Something new in both tables."""
        self.proxy.rules, self.proxy.waits = [], []
        execute_sql(self.root / "shop.db", FILL)
        assert run(self.root).status == "published"
        self.before = self.pointers()

    def publish(self) -> tuple[int, str]:
        done = mainstem("publish", cwd=self.root, env={**ROOT_KEYS, "AWS_REGION": REGION}, timeout=200)
        return done.returncode, done.stdout + done.stderr

    def pointers(self) -> dict[str, str]:
        found = self.aws.client("glue").get_tables(DatabaseName=f"{DATABASE}_raw")["TableList"]
        return {one["Name"]: one["Parameters"]["metadata_location"] for one in found}

    def table(self, name: str, location: str) -> list[tuple[Any, ...]]:
        """What a reader of S3 sees, by pyiceberg, past the proxy."""
        keys = {"s3.access-key-id": "test", "s3.secret-access-key": "test", "s3.region": REGION}
        place = {**keys, "s3.endpoint": self.aws.endpoint, "s3.force-virtual-addressing": "False"}
        found = StaticTable.from_metadata(location, place).scan().to_arrow()
        return sorted(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def shows_the_release(self) -> None:
        for name, location in self.pointers().items():
            assert self.table(name, location) == sorted(ask(self.root, f"select * from raw.{name}")), name

    def stands_as_before(self) -> None:
        """No pointer has moved, and all that they lead to can be read."""
        assert self.pointers() == self.before
        for name, location in self.before.items():
            assert len(self.table(name, location)) == {"small": 1, "large": 600}[name]

    def target(self) -> AwsTarget:
        found = load_project(self.root).target("aws")
        assert isinstance(found, AwsTarget)
        return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("net")
    with Ministack(folder / "aws") as aws, HttpProxy(aws.port) as proxy:
        aws.bucket(BUCKET)
        for namespace in ("raw", "mart"):
            aws.client("glue").create_database(DatabaseInput={"Name": f"{DATABASE}_{namespace}"})
        root = make_project(folder / "shop", {}, source=SOURCE)
        with (root / "mainstem.yml").open("a") as file:
            file.write(
                f"targets:\n  aws: {{engine: aws, region: {REGION}, bucket: {BUCKET}, database: {DATABASE},"
                f" secrets: {{shop: net/reader}}, endpoint: 'http://127.0.0.1:{proxy.port}',"
                f" timeout: {TIMEOUT}, workgroup: primary}}\n"
            )
        made = Place(root, aws, proxy)
        execute_sql(root / "shop.db", FILL)
        assert run(root).status == "published"
        code, text = made.publish()
        assert code == 0, text
        assert any(line.startswith(COMPLETE) for line in proxy.log), "an object of several parts"
        made.shows_the_release()
        yield made
        shutil.rmtree(root)


@pytest.fixture
def place(shared: Place) -> Place:
    """The same with something new, after whatever was before."""
    shared.renew()
    return shared


HOW = {
    "stall": {"stall": True},
    "no answer": {"silent": True},
    "answer lost": {"lost": True},
    "reset": {"reset": True},
    "cut": {"cut": True},
}


@pytest.mark.parametrize("how", HOW)
def test_f55_once_is_tried_again(place: Place, how: str) -> None:
    """Each kind of call to S3 that writes is struck once: done once, nothing lost."""
    calls = [
        ("PUT object", "publisher.lock"),
        ("PUT object", "/raw/small-"),
        ("POST uploads", "/data/"),
        (COMPLETE, "/data/"),
        ("PUT object", ".metadata.json"),
    ]
    rules = [Rule(what, path, **HOW[how]) for what, path in calls]  # type: ignore[arg-type]
    place.proxy.rules = list(rules)
    code, text = place.publish()
    assert [rule.fired for rule in rules] == [1] * len(rules), text
    assert code == 0, text
    place.shows_the_release()
    if how in ("stall", "no answer"):
        assert len(place.proxy.waits) == len(rules)
        assert max(place.proxy.waits) <= 2 * TIMEOUT


def test_f55_an_upload_that_is_complete_and_not_known_any_more(place: Place) -> None:
    """The answer is lost; the second try hears that there is no such upload. The object is looked at."""
    rules = [Rule(COMPLETE, "/data/", lost=True), Rule(COMPLETE, "/data/", error=(404, "NoSuchUpload"))]
    place.proxy.rules = list(rules)
    code, text = place.publish()
    assert [rule.fired for rule in rules] == [1, 1], text
    assert code == 0, text
    place.shows_the_release()


@pytest.mark.parametrize(
    ("what", "path", "how"),
    [
        ("PUT object", "/raw/small-", "stall"),
        (COMPLETE, "/data/", "no answer"),
        ("PUT object", ".metadata.json", "reset"),
    ],
)
def test_f55_for_good_is_told(place: Place, what: str, path: str, how: str) -> None:
    """Exit 4, and the tables stay where they were; then the next try is well."""
    rule = place.proxy.rule(what=what, path=path, times=ALWAYS, **HOW[how])
    code, text = place.publish()
    assert rule.fired > 1, "tried again"
    assert code == 4, text
    assert "Traceback" not in text
    place.stands_as_before()
    assert all(wait <= 2 * TIMEOUT for wait in place.proxy.waits)
    place.proxy.rules = []
    code, text = place.publish()
    assert code == 0, text
    place.shows_the_release()


def test_f55_slow_is_not_dead(place: Place) -> None:
    """Answers that trickle for longer than the timeout are answers."""
    pause = TIMEOUT / 3
    rules = [Rule(COMPLETE, "/data/", slow=pause), Rule("GET object", ".metadata.json", slow=pause)]
    place.proxy.rules = list(rules)
    code, text = place.publish()
    assert [rule.fired for rule in rules] == [1, 1], text
    assert code == 0, text
    place.shows_the_release()


def test_f55_the_timeout_is_the_targets(place: Place) -> None:
    """boto3 alone waits for a minute: with that, the tests above do not end in time."""
    for seconds in (TIMEOUT, 60.0):
        for service in ("s3", "glue"):
            made = wiring.aws_client(service, place.target().model_copy(update={"timeout": seconds}))
            assert (made.meta.config.connect_timeout, made.meta.config.read_timeout) == (seconds, seconds)
            made.close()
