"""What each step of the project reads and writes, and the statements of IAM that allow just that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mainstem.deploy.hcl import Expr, Template, Value
from mainstem.errors import ConfigErrors
from mainstem.graph import sound_part
from mainstem.model.graph import Graph
from mainstem.model.sql import parse_query, references
from mainstem.project.awsnames import ORDER, Names, namespaces_of
from mainstem.project.load import Project
from mainstem.schema import HISTORY, MART, RAW, TableName

_READ_TABLES = ("glue:GetDatabase", "glue:GetTable", "glue:GetTables")
# Glue authorises a call on a table by three resources: the catalog, the database and the table.
_WRITE_TABLES = ("glue:CreateTable", "glue:UpdateTable", "glue:DeleteTable")
_KEY_USE = ("kms:Decrypt", "kms:GenerateDataKey")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: the secrets it needs, the namespaces that it reads and writes."""

    name: str
    secrets: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Statement:
    """An Allow of a policy; `resources` are templates over the file's locals."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[Template | Expr, ...]
    conditions: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def value(self) -> dict[str, Value]:
        """As IAM writes it."""
        made: dict[str, Value] = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources),
        }
        return {**made, "Condition": self.conditions} if self.conditions else made


def steps_of(project: Project) -> tuple[Step, ...]:
    """The steps of a whole run. A commit reads the version before it, so what is written is also read.

    Raises ConfigErrors for errors in the project's files.
    """
    found = [
        Step(f"read {source}", frozenset({source}), *[namespaces_of(project, source)] * 2)
        for source in project.config.sources
    ]
    graph = _graph(project)
    for model in project.models:
        parents = graph.parents(TableName(MART, model.name))
        reads = frozenset(name.namespace for name in parents) | {MART}
        found.append(Step(f"build {model.name}", frozenset(), reads, frozenset({MART})))
    return tuple(found)


def _graph(project: Project) -> Graph:
    """The graph over whatever source tables the models name: those in the source are not looked at."""
    if project.errors:
        raise ConfigErrors(list(project.errors))
    read = {
        one.table
        for model in project.models
        for one in references(parse_query(model.sql, model.file, model.sql_line), model.file, model.sql_line)
    }
    named = {table.name for table in read if table.namespace == RAW}
    histories = sorted(table.name for table in read if table.namespace == HISTORY)
    grains = {
        model.header.grain.table.removeprefix(f"{RAW}.") for model in project.models if model.header.grain
    }
    graph, errors = sound_part(project, sorted(named | grains | set(histories)), histories=histories)
    if errors:
        raise ConfigErrors(errors)
    return graph


def job_statements(names: Names, steps: Iterable[Step]) -> tuple[Statement, ...]:
    """What the job that runs these steps may do in the account."""
    steps = tuple(steps)
    secrets = sorted({secret for step in steps for secret in step.secrets})
    reads = _ordered(namespace for step in steps for namespace in step.reads)
    writes = _ordered(namespace for step in steps for namespace in step.writes)
    return (
        Statement(
            "ReadSourceLogins",
            ("secretsmanager:GetSecretValue",),
            # A secret's ARN ends in a hyphen and six characters that Secrets Manager chose.
            tuple(_arn("secretsmanager", f"secret:{names.secrets[source]}-??????") for source in secrets),
        ),
        Statement("ReadJob", ("s3:GetObject",), (Template("${aws_s3_bucket.lake.arn}/job/*"),)),
        Statement("WriteResult", ("s3:PutObject",), (Template("${aws_s3_bucket.lake.arn}/runs/*"),)),
        list_statement([f"{names.prefix}/{namespace}/*" for namespace in reads] + ["job/*"]),
        Statement("ReadLake", ("s3:GetObject",), _objects(names, reads)),
        Statement(
            "WriteLake",
            ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"),
            _objects(names, writes),
        ),
        Statement("ReadTables", _READ_TABLES, _tables(reads)),
        Statement("WriteTables", _WRITE_TABLES, _tables(writes)),
        Statement("UseKey", _KEY_USE, (Expr("aws_kms_key.lake.arn"),)),
    )


def publisher_statements(names: Names) -> tuple[Statement, ...]:
    """What `mainstem publish` may do, from wherever the lake was filled: all namespaces, its lock, and the
    record of releases."""
    every = names.namespaces
    bucket = "${aws_s3_bucket.lake.arn}"
    own = (
        Template(f"{bucket}/{names.prefix}/publisher.lock"),
        Template(f"{bucket}/{names.prefix}/releases/*"),
    )
    return (
        Statement("ReadLake", ("s3:GetObject",), (*_objects(names, every), own[0])),
        Statement("WriteLake", ("s3:AbortMultipartUpload", "s3:PutObject"), (*_objects(names, every), *own)),
        Statement("TidyUp", ("s3:DeleteObject",), (*_objects(names, every), own[0])),
        Statement("ReadTables", _READ_TABLES, _tables(every)),
        Statement("WriteTables", ("glue:CreateTable", "glue:UpdateTable"), _tables(every)),
        Statement("UseKey", _KEY_USE, (Expr("aws_kms_key.lake.arn"),)),
    )


def reader_statements(names: Names) -> tuple[Statement, ...]:
    """What somebody who asks questions may do: the workgroup, and the mart read-only."""
    results = Template("${aws_s3_bucket.lake.arn}/athena-results/*")
    return (
        Statement(
            "Ask",
            (
                "athena:GetQueryExecution",
                "athena:GetQueryResults",
                "athena:GetWorkGroup",
                "athena:StartQueryExecution",
                "athena:StopQueryExecution",
            ),
            (Expr("aws_athena_workgroup.mainstem.arn"),),
        ),
        Statement("ReadMartTables", _READ_TABLES, _tables([MART])),
        Statement("ReadMart", ("s3:GetObject",), _objects(names, [MART])),
        Statement("Results", ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"), (results,)),
        Statement("LocateBucket", ("s3:GetBucketLocation",), (Expr("aws_s3_bucket.lake.arn"),)),
        list_statement([f"{names.prefix}/{MART}/*", "athena-results/*"]),
        Statement("UseKey", _KEY_USE, (Expr("aws_kms_key.lake.arn"),)),
    )


def list_statement(prefixes: list[str]) -> Statement:
    """To list what is under some prefixes of the bucket, and nothing else of it."""
    condition: Mapping[str, Mapping[str, Value]] = {"StringLike": {"s3:prefix": prefixes}}
    return Statement("ListBucket", ("s3:ListBucket",), (Expr("aws_s3_bucket.lake.arn"),), condition)


def _ordered(namespaces: Iterable[str]) -> list[str]:
    found = set(namespaces)
    return [namespace for namespace in ORDER if namespace in found]


def _objects(names: Names, namespaces: Iterable[str]) -> tuple[Template, ...]:
    return tuple(Template(f"${{aws_s3_bucket.lake.arn}}/{names.prefix}/{one}/*") for one in namespaces)


def _tables(namespaces: Iterable[str]) -> tuple[Template | Expr, ...]:
    found: list[Template | Expr] = [_arn("glue", "catalog")]
    for namespace in namespaces:
        database = f"${{aws_glue_catalog_database.{namespace}.name}}"
        found += [Expr(f"aws_glue_catalog_database.{namespace}.arn"), _arn("glue", f"table/{database}/*")]
    return tuple(found)


def _arn(service: str, what: str) -> Template:
    return Template(f"${{local.arn.{service}}}:{what}")
