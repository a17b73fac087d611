"""What each column is for: key, measure, price, date, label … An ordered tuple of small rules, first wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mainstem.draft import lexicon, words
from mainstem.draft.profile import ColumnProfile
from mainstem.schema import Column, Kind


class Use(StrEnum):
    """The use of a column in a star."""

    KEY = "key"  # part of the table's own key, or a foreign key
    AUDIT = "audit"
    SECRET = "secret"
    JUNK = "junk"  # blobs, mark-up, surrogate row identifiers: left out
    BIRTH = "birth"
    VALIDITY = "validity"
    START = "start"  # of a start/end pair
    END = "end"
    HIRE = "hire"
    DATE = "date"  # something happened, or is to happen
    FLAG = "flag"
    ADDITIVE = "additive"
    SEMI = "semi"
    PRICE = "price"
    CODE = "code"  # a number or short text that names something: never summed
    LABEL = "label"
    PERSON = "person"
    TEXT = "text"


DATES = frozenset({Use.DATE, Use.START, Use.END})
MEASURES = frozenset({Use.ADDITIVE, Use.SEMI, Use.PRICE})
LEFT_OUT = frozenset({Use.AUDIT, Use.SECRET, Use.JUNK})

_TEMPORAL = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
_NUMERIC = frozenset({Kind.INT, Kind.LONG, Kind.DECIMAL, Kind.FLOAT, Kind.DOUBLE})
_OPAQUE = ("xml", "json", "geography", "geometry", "hierarchyid", "tsvector", "point", "polygon", "bytea")


@dataclass(frozen=True, slots=True)
class Named:
    """A column with its words: `said` as written (without the table's prefix), `means` for the rules."""

    column: Column
    said: tuple[str, ...]
    means: tuple[str, ...]
    table: tuple[str, ...]  # the table's words, by meaning
    is_key: bool  # of the table's own key
    is_foreign: bool
    profile: ColumnProfile | None = None

    @property
    def temporal(self) -> bool:
        """A date or a timestamp, or text that its name calls a date."""
        kind = self.column.type.kind
        if kind in _TEMPORAL:
            return True
        return (
            kind is Kind.STRING and len(self.said) > 0 and self.said[-1] in ("date", "datetime", "timestamp")
        )

    @property
    def numeric(self) -> bool:
        """A number by type."""
        return self.column.type.kind in _NUMERIC

    def has(self, meanings: frozenset[str]) -> bool:
        """Any word among them."""
        return any(word in meanings for word in self.means) or any(word in meanings for word in self.said)

    def ends(self, meanings: frozenset[str]) -> bool:
        """The last word among them."""
        return bool(self.means) and (self.means[-1] in meanings or self.said[-1] in meanings)


Rule = Callable[[Named], Use | None]


def _audit(c: Named) -> Use | None:
    if not c.said or (c.is_foreign and len(c.said) < 2):
        return None
    first, rest = c.said[0], c.said[1:]
    if (
        first in ("last", "date", "time", "when")
        and rest
        and rest[0] in lexicon.AUDIT_VERBS
        and len(rest) <= 2
    ):
        return Use.AUDIT
    if first in lexicon.AUDIT_VERBS - {"last", "added"} and all(
        w in lexicon.AUDIT_TAIL | lexicon.KEY_WORDS for w in rest
    ):
        return Use.AUDIT if rest or c.temporal else None
    if c.said in (("sys", "start", "time"), ("sys", "end", "time"), ("row", "version")):
        return Use.AUDIT
    return None


def _key(c: Named) -> Use | None:
    if c.is_foreign:
        return Use.KEY
    return Use.KEY if c.is_key and not c.temporal and not (c.numeric and _is_number(c) is not None) else None


def _secret(c: Named) -> Use | None:
    return Use.SECRET if c.has(lexicon.SECRET) and not c.numeric else None


def _junk(c: Named) -> Use | None:
    native = c.column.native.lower()
    if (
        c.column.type.kind is Kind.BINARY
        or native.startswith(_OPAQUE)
        or (c.has(lexicon.JUNK) and not c.numeric)
    ):
        return Use.JUNK
    return None


def _flag(c: Named) -> Use | None:
    native = c.column.native.lower()
    if c.column.type.kind is Kind.BOOLEAN or native in ("tinyint(1)", "bit", "bit(1)"):
        return Use.FLAG
    if c.said and c.said[0] in lexicon.FLAG_HEAD and len(c.said) > 1 and not c.temporal:
        return Use.FLAG
    return Use.FLAG if c.ends(frozenset({"flag", "indicator"})) and not c.temporal else None


def _date(c: Named) -> Use | None:
    if not c.temporal:
        return None
    head = frozenset(c.said) | frozenset(c.means)
    if head & lexicon.BIRTH:
        return Use.BIRTH
    if head & lexicon.HIRE:
        return Use.HIRE
    stem = tuple(w for w in c.said if w not in lexicon.TIME_TAIL)
    if stem and stem[-1] in lexicon.START and (len(stem) == 1 or head & lexicon.VALIDITY):
        return Use.START
    if stem and stem[-1] in lexicon.END and (len(stem) == 1 or head & lexicon.VALIDITY):
        return Use.END
    return Use.VALIDITY if head & lexicon.VALIDITY else Use.DATE


def _is_number(c: Named) -> Use | None:
    """Whether a numeric column counts or weighs something, and how it adds up: the first rule that knows."""
    for rule in NUMBERS:
        if rule.test(c):
            return rule.use
    return None


@dataclass(frozen=True, slots=True)
class NumberRule:
    """`use` is what a number is when `test` holds (None: no measure); `why` says so in words."""

    name: str
    use: Use | None
    test: Callable[[Named], bool]
    why: str


def _last(c: Named) -> str:
    return c.means[-1] if c.means else ""


def _share(c: Named) -> bool:
    figures = c.profile
    return (
        c.has(frozenset({"tax", "discount"}))
        and figures is not None
        and figures.high is not None
        and figures.high <= 1
    )


def _rate(c: Named) -> bool:
    priced = _last(c) in lexicon.MONEY and _last(c) not in lexicon.PRICE and "unit" not in c.means
    return c.has(lexicon.PRICE) and not priced


_LIMITS = frozenset({"min", "max", "minimum", "maximum", "low", "high"})

NUMBERS: tuple[NumberRule, ...] = (
    NumberRule(
        "number of",
        Use.ADDITIVE,
        lambda c: len(c.means) > 1 and c.means[0] == "number" and _last(c) not in ("number", "id"),
        "number_of_guests counts",
    ),
    NumberRule("count", Use.ADDITIVE, lambda c: _last(c) == "count", "it says that it counts"),
    NumberRule(
        "code",
        None,
        lambda c: _last(c) in lexicon.KEY_WORDS | lexicon.ORDINAL | {"number"},
        "it identifies, or puts rows in order",
    ),
    NumberRule("limit", Use.PRICE, lambda c: c.has(_LIMITS), "an extreme of values does not add up"),
    NumberRule("share", Use.PRICE, _share, "the data says it is from 0 to 1"),
    NumberRule(
        "on hand",
        Use.SEMI,
        lambda c: ("on", "hand") in zip(c.said, c.said[1:], strict=False),
        "what is there at a time adds up over all but time",
    ),
    NumberRule(
        "load",
        Use.ADDITIVE,
        lambda c: "weight" in c.means and bool(c.means) and c.means[0] in ("gross", "net", "total", "tare"),
        "a load, as against the weight of a body",
    ),
    NumberRule(
        "extended price",
        Use.ADDITIVE,
        lambda c: _last(c) == "price" and c.has(frozenset({"extended", "total", "line", "sum"})),
        "a price of the whole line",
    ),
    NumberRule("rate", Use.PRICE, _rate, "a price, a rate, a rating: averaged, never summed"),
    NumberRule(
        "unit price",
        Use.PRICE,
        lambda c: bool({"unit", "standard", "list"} & set(c.said)) and c.has(lexicon.MONEY),
        "money for one of them",
    ),
    NumberRule("level", Use.SEMI, lambda c: c.has(lexicon.SEMI), "a level adds up over all but time"),
    NumberRule(
        "quantity",
        Use.ADDITIVE,
        lambda c: (
            c.has(lexicon.ADDITIVE) and _last(c) not in ("type", "status", "code", "flag", "class", "year")
        ),
        "quantities and amounts add up",
    ),
)
"""How numbers add up, by their words; the first that holds."""


def _number(c: Named) -> Use | None:
    if not c.numeric:
        return None
    found = _is_number(c)
    if found:
        return found
    if c.has(lexicon.NOT_MEASURE) or c.means in (("number",), ("id",)):
        return Use.CODE
    kind = c.column.type.kind
    fraction = kind in (Kind.FLOAT, Kind.DOUBLE) or (kind is Kind.DECIMAL and c.column.type.scale > 0)
    counted = bool(c.said) and words.singular(c.said[-1]) != c.said[-1]  # guests, runs, adults
    spoken = c.has(lexicon.CLASS | lexicon.GEO) and not c.ends(lexicon.UNIT_TAIL)  # area, but area_ha
    return Use.ADDITIVE if (fraction or counted) and not spoken else Use.CODE


def _person(c: Named) -> Use | None:
    strong = frozenset(
        [
            "surname",
            "lastname",
            "firstname",
            "fname",
            "lname",
            "forename",
            "gender",
            "sex",
            "email",
            "salutation",
            "courtesy",
            "marital",
            "mobile",
        ]
    )
    if c.has(strong):
        return Use.PERSON
    if (
        len(c.said) >= 2
        and c.said[-1] == "name"
        and c.said[-2] in ("first", "last", "middle", "given", "family", "full")
    ):
        return Use.PERSON
    if c.said == ("given",) and c.column.type.kind is Kind.STRING:
        return Use.PERSON
    return Use.PERSON if c.ends(frozenset({"phone", "fax", "username"})) else None


def _label(c: Named) -> Use | None:
    if not c.said or c.said[-1] not in lexicon.LABEL or c.column.type.kind is not Kind.STRING:
        return None
    rest = [words.meaning(word) for word in c.said[:-1]]
    near = all(any(_alike(word, own) for own in c.table) for word in rest)
    return Use.LABEL if near else None


def _alike(word: str, own: str) -> bool:
    return (
        word == own or (len(word) >= 3 and own.startswith(word)) or (len(own) >= 3 and word.startswith(own))
    )


def _text(c: Named) -> Use | None:
    return Use.CODE if c.ends(lexicon.KEY_WORDS) else Use.TEXT


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """`decide` gives the use of a column that it knows; `why` says in words what it goes by."""

    name: str
    decide: Rule
    why: str


RULES: tuple[ColumnRule, ...] = (
    ColumnRule("audit", _audit, "who touched the row and when says nothing of the business"),
    ColumnRule("key", _key, "part of the table's key, or a foreign key"),
    ColumnRule("secret", _secret, "passwords and tokens stay in the source"),
    ColumnRule("junk", _junk, "bytes, mark-up and pictures neither group nor sum"),
    ColumnRule("flag", _flag, "yes or no, by its type or its name"),
    ColumnRule("date", _date, "a day or a moment: of an event, of a birth, of an entry, of validity"),
    ColumnRule("number", _number, "a number that counts, weighs or costs; else a code"),
    ColumnRule("person", _person, "describes a human being or how to reach one"),
    ColumnRule("label", _label, "what one row of the table is called"),
    ColumnRule("text", _text, "the rest: a code if it is called one"),
)
"""What a column is for, in this order; the first that knows decides."""


def rule_of(column: Named) -> tuple[ColumnRule, Use]:
    """The rule that decides on one column, and the use that it gives."""
    for rule in RULES:
        found = rule.decide(column)
        if found is not None:
            return rule, found
    return RULES[-1], Use.TEXT


def use_of(column: Named) -> Use:
    """The use of one column."""
    return rule_of(column)[1]
