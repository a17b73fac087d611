"""What a committed load remembers about itself, in its snapshot's summary: one place, one commit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainstem.contract.reconcile import Fingerprint
from mainstem.schema import Column, Table, Type, contains

FINGERPRINT = "mainstem.fingerprint"
COLUMNS = "mainstem.columns"
KEY = "mainstem.key"
CURSOR = "mainstem.cursor"
SOURCE = "mainstem.source"
POSITION = "mainstem.position"
PROOF = "mainstem.proof"
TALLY = "mainstem.tally"
TERMS = "mainstem.terms"
BESIDE = "mainstem.beside"
SUMS = "mainstem.sums"
COMPARED = "mainstem.compared"
FORM = "1"  # raise it when canonical texts change: every table is then read again


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """What happened to a column of the source since the last load: added, removed, retyped, narrowed (there
    are values of the old type that the new one cannot hold), nullable, no longer nullable, reordered."""

    column: str
    what: str
    detail: str = ""

    @property
    def narrows(self) -> bool:
        """Whether somebody has to decide before the table is read."""
        return self.what == "narrowed"

    def __str__(self) -> str:
        return f"{self.column} {self.what}" + (f" ({self.detail})" if self.detail else "")


def encode_columns(columns: Sequence[Column]) -> str:
    """Columns as JSON: name, lake type, native type, nullable."""
    return json.dumps([[c.name, str(c.type), c.native, c.nullable] for c in columns], separators=(",", ":"))


def decode_columns(text: str) -> tuple[Column, ...]:
    """The inverse of `encode_columns`."""
    return tuple(Column(n, Type.parse(t), bool(null), native) for n, t, native, null in json.loads(text))


def changes(before: Sequence[Column], now: Sequence[Column]) -> list[ColumnChange]:
    """How the columns of a source table differ from those of its last load."""
    old = {column.name: column for column in before}
    new = {column.name: column for column in now}
    found = [ColumnChange(name, "added", new[name].native) for name in new if name not in old]
    found += [ColumnChange(name, "removed") for name in old if name not in new]
    for name in new:
        if name in old and (old[name].native, old[name].type) != (new[name].native, new[name].type):
            what = "retyped" if contains(new[name].type, old[name].type) else "narrowed"
            found.append(ColumnChange(name, what, f"{old[name].native} → {new[name].native}"))
        elif name in old and old[name].nullable != new[name].nullable:
            found.append(ColumnChange(name, "nullable" if new[name].nullable else "no longer nullable"))
    if not found and list(old) != list(new):
        found.append(ColumnChange("columns", "reordered"))
    return found


def fingerprint_text(hash_name: str, found: Fingerprint) -> str:
    """A fingerprint as it is remembered."""
    return f"{FORM}:{hash_name}:{found}"


def summary(
    source: str, table: Table, position: Mapping[str, str], proof: str, fingerprint: str
) -> dict[str, str]:
    """The keys that a load writes into its snapshot's summary."""
    return {
        SOURCE: source,
        COLUMNS: encode_columns(table.columns),
        KEY: json.dumps(table.primary_key, ensure_ascii=False),
        POSITION: json.dumps(dict(position), sort_keys=True),
        PROOF: proof,
        FINGERPRINT: fingerprint,
    }
