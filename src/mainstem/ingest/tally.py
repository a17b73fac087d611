"""What became of rows and values that did not arrive as ordinary ones: counted, remembered, told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mainstem.schema import RAW_OUT_OF_RANGE
from mainstem.text import count


@dataclass(frozen=True, slots=True)
class Tally:
    """`out_of_range`: values that stand as text in the side column, by their column; `quarantined`: rows
    that break the contract, `broken`: by rule; `deleted`: rows that the source marks as deleted; `versions`:
    those of the history."""

    out_of_range: Mapping[str, int] = field(default_factory=dict)
    quarantined: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)
    deleted: int = 0
    versions: int = 0

    def encode(self) -> str:
        """As the snapshot's summary has it; empty if there is nothing to tell."""
        return json.dumps({k: v for k, v in asdict(self).items() if v}, ensure_ascii=False) if self else ""

    @classmethod
    def decode(cls, text: str) -> Tally:
        """The inverse."""
        return cls(**json.loads(text)) if text else cls()

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def __str__(self) -> str:
        """What a person is told, after the proof."""
        return "".join(f"; {part}" for part in self._parts())

    @property
    def left_out(self) -> str:
        """Rows of the source that are not in the raw table, in words; empty if there are none."""
        parts = [f"{self.quarantined:,} in quarantine"] if self.quarantined else []
        parts += [f"{self.deleted:,} marked as deleted"] if self.deleted else []
        return " and ".join(parts)

    def _parts(self) -> list[str]:
        parts = []
        if self.quarantined:
            listed = ", ".join(f"{rule} {number:,}" for rule, number in self.broken.items())
            parts.append(f"{self.quarantined:,} of them in quarantine ({listed})")
        if self.deleted:
            parts.append(f"{count(self.deleted, 'row')} marked as deleted left out")
        if self.out_of_range:
            listed = ", ".join(f"{name} {number:,}" for name, number in self.out_of_range.items())
            total = count(sum(self.out_of_range.values()), "value")
            parts.append(f"{total} out of range, as text in {RAW_OUT_OF_RANGE} ({listed})")
        if self.versions:
            parts.append(f"history of {count(self.versions, 'version')}")
        return parts


NOTHING = Tally()
