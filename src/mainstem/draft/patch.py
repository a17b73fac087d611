"""What a new draft would change in files that people own: a patch, never a write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff


@dataclass(frozen=True, slots=True)
class Proposed:
    """`patch` is a unified diff that `git apply` takes; `notes` say what it leaves out and why."""

    patch: str
    notes: tuple[str, ...]


def propose(present: Mapping[str, str], drafted: Mapping[str, str], new: Mapping[str, str]) -> Proposed:
    """The patch from the files as they are to the files as they would be drafted now.

    `drafted` are the texts as they were drafted last, where that is known: what a person changed since
    stays, what the draft changed is proposed on top. A file that somebody deleted stays deleted.
    """
    parts: list[str] = []
    notes: list[str] = []
    for path in sorted({*new, *drafted}):
        here, before, after = present.get(path), drafted.get(path), new.get(path)
        if after is None:
            if here is not None:
                notes.append(f"{path} would no longer be drafted: its tables are gone or have another role")
            continue
        if here is None:
            if before is None:
                parts.append(unified(path, None, after))
            elif before != after:
                notes.append(f"{path} was deleted here; the draft of it has changed")
            continue
        if before is None:
            if here != after:
                notes.append(f"{path}: how it was drafted first is not known; edits show as differences")
            parts.append(unified(path, here, after))
            continue
        merged, conflicts = merge(before, here, after)
        if conflicts:
            parts_of = "1 part" if conflicts == 1 else f"{conflicts} parts"
            notes.append(f"{path}: {parts_of} of the new draft touch what was edited here; left out")
        parts.append(unified(path, here, merged))
    return Proposed("".join(parts), tuple(notes))


def merge(base: str, mine: str, theirs: str) -> tuple[str, int]:
    """`mine` with the changes from `base` to `theirs`, and how many of them met an edit and were left out."""
    old, own, new = (text.splitlines(keepends=True) for text in (base, mine, theirs))
    place = _places(old, own)
    result = list(own)
    conflicts = 0
    for tag, start, end, first, last in reversed(SequenceMatcher(None, old, new, False).get_opcodes()):
        if tag == "equal":
            continue
        at, until = _region(place, start, end, len(own))
        wanted = new[first:last]
        if at is not None and until is not None:
            result[at:until] = wanted
        elif not _already(own, wanted):
            conflicts += 1
    return "".join(result), conflicts


def _places(old: list[str], own: list[str]) -> list[int | None]:
    """Where each line of `old` stands in `own`; None where it was edited."""
    place: list[int | None] = [None] * len(old)
    for block in SequenceMatcher(None, old, own, False).get_matching_blocks():
        for step in range(block.size):
            place[block.a + step] = block.b + step
    return place


def _region(place: list[int | None], start: int, end: int, own: int) -> tuple[int | None, int | None]:
    """The lines of one's own text that stand for old[start:end]; nothing where they were edited. An
    insertion needs its neighbours side by side."""
    if start < end:
        found = place[start:end]
        first = found[0]
        whole = first is not None and found == list(range(first, first + end - start))
        return (first, first + end - start) if whole and first is not None else (None, None)
    before = place[start - 1] if start else -1
    after = place[start] if start < len(place) else own
    if before is None or after is None or after != before + 1:
        return None, None
    return after, after


def _already(own: list[str], wanted: list[str]) -> bool:
    """Whether the lines stand there already: the change was taken before."""
    size = len(wanted)
    return bool(size) and any(own[at : at + size] == wanted for at in range(len(own) - size + 1))


def unified(path: str, old: str | None, new: str) -> str:
    """One file's part of a patch; empty if nothing changes."""
    if old == new:
        return ""
    head = f"diff --git a/{path} b/{path}\n"
    head += "new file mode 100644\n" if old is None else ""
    left = "/dev/null" if old is None else f"a/{path}"
    lines = unified_diff(
        (old or "").splitlines(keepends=True), new.splitlines(keepends=True), left, f"b/{path}"
    )
    return head + "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
