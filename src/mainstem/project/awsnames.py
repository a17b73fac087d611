"""What things are called in the account: by the project, unless the target says otherwise. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.project.config import HistoryKind
from mainstem.project.contract import OnBreak
from mainstem.project.load import FILE, Project
from mainstem.project.targets import AwsTarget
from mainstem.schema import HISTORY, MART, QUARANTINE, RAW

ORDER = (RAW, QUARANTINE, HISTORY, MART)  # of namespaces, wherever they are listed
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_DATABASE = re.compile(r"[a-z0-9_]{1,200}")
_WORKGROUP = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_SCHEDULE = re.compile(r"(cron|rate)\([^()\"$]+\)")
_EMAIL = re.compile(r"[^@\s\"$]+@[^@\s\"$]+")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B", re.IGNORECASE)
_LEAST_SCAN = 10_000_000  # Athena's own floor


@dataclass(frozen=True, slots=True)
class Names:
    """`stem` begins every name; `databases` are those of the Glue catalog by namespace, which are the lake's
    as far as the project has tables in them; `secrets` name the secret of each source."""

    stem: str
    region: str
    bucket: str
    prefix: str
    database: str
    workgroup: str
    secrets: dict[str, str]
    scan_limit: int
    namespaces: tuple[str, ...] = (RAW, MART)

    @property
    def databases(self) -> dict[str, str]:
        """The Glue database of each namespace of the lake."""
        return {namespace: f"{self.database}_{namespace}" for namespace in self.namespaces}

    @property
    def job(self) -> str:
        """The Glue job."""
        return f"{self.stem}-run"

    def role(self, of: str) -> str:
        """An IAM role or policy."""
        return f"{self.stem}-{of}"


def names_of(project: Project, target_name: str, target: AwsTarget) -> Names:
    """The names, checked against what AWS allows. Raises ConfigErrors, with all of them, at their lines."""
    stem = _slug(project.name)
    made = Names(
        stem=f"mainstem-{stem}",
        region=target.region,
        bucket=target.bucket,
        prefix=target.prefix.strip("/"),
        database=target.database or stem.replace("-", "_"),
        workgroup=target.workgroup or f"mainstem-{stem}",
        secrets=dict(target.secrets),
        scan_limit=_bytes(target.scan_limit),
        namespaces=(*sorted(namespaces_of(project), key=ORDER.index), MART),
    )
    errors = [
        UsageError(
            message, where=Where(FILE, project.document.line(("targets", target_name, key))), hint=hint
        )
        for key, message, hint in _faults(project, target, made)
    ]
    if errors:
        raise ConfigErrors(errors)
    return made


def namespaces_of(project: Project, source: str = "") -> frozenset[str]:
    """The namespaces in which tables of the sources, or of one of them, stand."""
    named = [source] if source else list(project.config.sources)
    tables = [table for name in named for table in project.config.sources[name].tables.values()]
    apart = any(t.contract and t.contract.on_break is OnBreak.QUARANTINE for t in tables)
    kept = any(t.history is HistoryKind.SCD2 for t in tables)
    return frozenset({RAW} | ({QUARANTINE} if apart else set()) | ({HISTORY} if kept else set()))


def _faults(project: Project, target: AwsTarget, made: Names) -> list[tuple[str, str, str]]:
    """Key, what is wrong with it, what would be right."""
    found = []
    for key, value, pattern, hint in (
        ("region", made.region, _REGION, "like eu-west-1"),
        ("bucket", made.bucket, _BUCKET, "3 to 63 of a-z, 0-9, . and -"),
        ("prefix", made.prefix, _PREFIX, "like lake, or shop/lake"),
        ("database", made.database, _DATABASE, "a-z, 0-9 and _"),
        ("workgroup", made.workgroup, _WORKGROUP, "letters, digits, ., _ and -"),
        ("schedule", target.schedule, _SCHEDULE, "like cron(0 4 * * ? *), in UTC"),
        ("alarm_email", target.alarm_email, _EMAIL, "like data@example.com"),
    ):
        if (value or key == "prefix") and not pattern.fullmatch(value):
            found.append((key, f"{key}: {value!r} is not allowed there", hint))
    if made.scan_limit < _LEAST_SCAN:
        found.append(("scan_limit", f"scan_limit: {target.scan_limit!r} is too small", "at least 10MB"))
    for source in project.config.sources:
        name = made.secrets.get(source, "")
        if not name:
            hint = f"secrets: {{{source}: NAME}}, the secret in AWS Secrets Manager that holds its login"
            found.append(("secrets", f"there is no secret for the source {source}", hint))
        elif not _SECRET.fullmatch(name):
            found.append(("secrets", f"secrets.{source}: {name!r} is no secret's name", "not its ARN"))
    for source in sorted(set(made.secrets) - set(project.config.sources)):
        found.append(("secrets", f"secrets: there is no source {source}", ""))
    return found


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:30].rstrip("-") or "project"


def _bytes(text: str) -> int:
    match = _SIZE.fullmatch(text.strip())
    if not match:
        return 0
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))
