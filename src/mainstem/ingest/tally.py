"""What became of rows and values that did not arrive as ordinary ones: counted, remembered, told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mainstem.schema import RAW_OUT_OF_RANGE
from mainstem.text import count


@dataclass(frozen=True, slots=True)
class Tally:
    """`out_of_range`: values that stand as text in the side column, by their column."""

    out_of_range: Mapping[str, int] = field(default_factory=dict)

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

    def _parts(self) -> list[str]:
        parts = []
        if self.out_of_range:
            listed = ", ".join(f"{name} {number:,}" for name, number in self.out_of_range.items())
            total = count(sum(self.out_of_range.values()), "value")
            parts.append(f"{total} out of range, as text in {RAW_OUT_OF_RANGE} ({listed})")
        return parts


NOTHING = Tally()
