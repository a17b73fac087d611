"""Names taken apart into words, and put together again. Pure functions, no state but caches."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mainstem.draft import lexicon

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SUFFIXES = ("date", "time", "key", "code", "name", "type", "status", "price", "cost", "amount",
    "total", "number",
             "qty", "flag", "line", "level", "id", "no", "pct")  # fmt: skip
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


@lru_cache(maxsize=65536)
def split(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: snake, camel, spaces, and words run together.

    >>> split("customerNumber"), split("Order Details"), split("L_EXTENDEDPRICE"), split("orderdetails")
    (('customer', 'number'), ('order', 'details'), ('l', 'extended', 'price'), ('order', 'details'))
    """
    words: list[str] = []
    for part in re.split(r"[\W_]+", unicodedata.normalize("NFC", name)):
        for piece in _CAMEL.split(part):
            if piece:
                words += _segment(piece.lower())
    return tuple(words)


@lru_cache(maxsize=65536)
def _segment(word: str) -> tuple[str, ...]:
    if len(word) < 5 or known(word) or not word.isascii() or not word.isalpha():
        return (word,)
    best = _cover(word)
    if best:
        return best
    for suffix in _SUFFIXES:
        head = word[: -len(suffix)]
        if word.endswith(suffix) and len(head) >= 3 and len(suffix) >= 3:
            return (*_segment(head), suffix)
    return (word,)


def _cover(word: str) -> tuple[str, ...]:
    """The word as the fewest known words of three letters or more, or nothing."""
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)

    def cost(pieces: tuple[str, ...]) -> tuple[int, int]:
        return len(pieces), sum(piece not in lexicon.VOCABULARY for piece in pieces)

    for end in range(1, len(word) + 1):
        for start in range(end):
            before, piece = best[start], word[start:end]
            if before is None or not (
                known(piece) and (len(piece) >= 3 or (piece in ("id", "no") and start))
            ):
                continue
            current = best[end]
            if current is None or cost((*before, piece)) < cost(current):
                best[end] = (*before, piece)
    found = best[-1]
    return found if found and len(found) <= 4 else ()


@lru_cache(maxsize=65536)
def known(word: str) -> bool:
    """Whether the word, or its singular, has a meaning here."""
    return word in lexicon.VOCABULARY or singular(word) in lexicon.VOCABULARY


@lru_cache(maxsize=65536)
def singular(word: str) -> str:
    """The singular of an English noun, by its ending; other words come back as they are."""
    for one, many in lexicon.IRREGULAR.items():
        if word in (one, many):
            return one
    if word in lexicon.UNCOUNTABLE or len(word) <= 3 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return "movie" if word == "movies" else word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("ses") and word[:-2] in ("status", "bus", "campus", "virus", "bonus"):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


@lru_cache(maxsize=65536)
def plural(word: str) -> str:
    """The plural of a singular noun."""
    if word in lexicon.IRREGULAR:
        return lexicon.IRREGULAR[word]
    if word in lexicon.UNCOUNTABLE or word in lexicon.IRREGULAR.values():
        return word
    if word.endswith("y") and len(word) > 1 and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    return word + "s"


@lru_cache(maxsize=65536)
def meaning(word: str) -> str:
    """The word that the rules compare: singular, short forms written out."""
    single = word if word in lexicon.ABBREVIATIONS else singular(word)
    return lexicon.ABBREVIATIONS.get(single, single)


def meanings(words: Iterable[str]) -> tuple[str, ...]:
    """`meaning` of each word."""
    return tuple(meaning(word) for word in words)


def common_prefix(names: Sequence[Sequence[str]], least: float) -> str:
    """The first word that at least the share `least` of the names begins with, when it is no word of
    its own right (a letter, a module's short name), else nothing."""
    firsts = [name[0] for name in names if len(name) > 1]
    if len(names) < 3 or not firsts:
        return ""
    top = max(sorted(set(firsts)), key=firsts.count)
    return top if firsts.count(top) >= least * len(names) else ""


def snake(words: Iterable[str]) -> str:
    """A name for the star: lower case, words joined by underscores; never empty, never a digit first."""
    text = "_".join(words).lower()
    text = re.sub(r"[\W_]+", "_", plain(text) if plain(text).strip("_ ") else text).strip("_") or "column"
    return f"n_{text}" if text[0].isdigit() else text


def plain(text: str) -> str:
    """The text in ASCII, accents and umlauts dropped (ö → o); letters of other scripts fall away."""
    folded = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("æ", "ae").replace("ø", "o"))
    return folded.encode("ascii", "ignore").decode("ascii")


def quote(name: str) -> str:
    """The identifier as SQL: bare where that means the same, else in double quotes."""
    if _PLAIN.match(name) and name not in lexicon.RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def title(name: str) -> str:
    """`product_line` → `Product line`: a label for people."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
