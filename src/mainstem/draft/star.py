"""The star: what drafting decides, as frozen values. Names of sources are lake names (`Table.name`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Hop:
    """One to-one step along a foreign key: from `table.columns` to `target.target_columns`."""

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]


def link_text(hop: Hop) -> str:
    """`orders.cust → customers.id`."""
    left = f"{hop.table}.{', '.join(hop.columns)}"
    return f"{left} → {hop.target}.{', '.join(hop.target_columns)}"


Path = tuple[Hop, ...]
"""Steps from a fact's or a dimension's own table outward; empty is the table itself."""


class Additivity(StrEnum):
    """Over which dimensions a measure may be summed (Kimball)."""

    FULL = "full"
    SEMI = "semi"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column taken over: `name` in the star, `column` of the table at the end of `path`."""

    name: str
    column: str
    path: Path = ()
    description: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a fact. `column` is empty when `expression` derives it: SQL over the grain table, whose
    columns stand in braces (`{quantity} * {price}`). `product_of` names the measures that a derived
    amount multiplies: quantity, price, and the discount if that is taken off."""

    name: str
    column: str
    additive: Additivity
    description: str = ""
    expression: str = ""
    money: bool = False
    exact: bool = True  # false for floats: their sum depends on the order
    product_of: tuple[str, ...] = ()
    mixed: bool = False  # its unit differs from row to row: not even an average says something over all


@dataclass(frozen=True, slots=True)
class DateRole:
    """A date of a fact in its role (`ordered_date`); `later` when a null says it has not yet happened."""

    name: str
    column: str
    path: Path = ()
    later: bool = False
    has_time: bool = False
    text: bool = False


@dataclass(frozen=True, slots=True)
class AsOf:
    """Which version of a history a fact refers to: that of the same `by` columns which began at or before
    the fact's `date` and after which none had begun; none once `until` is over. `exact`: moments are
    compared, else days."""

    by: tuple[str, ...]
    since: str
    until: str
    date: DateRole
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A fact's or bridge's key to a dimension: `path` ends at the dimension's base table."""

    name: str
    dimension: str
    path: Path
    role: str = ""
    as_of: AsOf | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """A many-to-many classification as one text attribute: names sorted and joined by commas."""

    name: str
    bridge: str
    to_owner: Hop
    to_class: Hop
    label: str


@dataclass(frozen=True, slots=True)
class Dimension:
    """One dimension: its base table's rows, one each, and the to-one tables folded into it."""

    name: str
    entity: str
    table: str
    key: tuple[str, ...]
    attributes: tuple[SourceColumn, ...] = ()
    folded: tuple[Path, ...] = ()
    gathered: tuple[Gathered, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def key_name(self) -> str:
        """`customer_key`."""
        return f"{self.entity}_key"


@dataclass(frozen=True, slots=True)
class Junk:
    """A junk dimension: the flags of one fact, one row a combination that occurs."""

    name: str
    entity: str
    columns: tuple[SourceColumn, ...]

    @property
    def key_name(self) -> str:
        """`order_flags_key`."""
        return f"{self.entity}_key"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: one row of `table` each. `joined` are the to-one tables whose columns fold in."""

    name: str
    table: str
    statement: str
    key: tuple[SourceColumn, ...]
    joined: tuple[Path, ...] = ()
    links: tuple[Link, ...] = ()
    dates: tuple[DateRole, ...] = ()
    degenerate: tuple[SourceColumn, ...] = ()
    attributes: tuple[SourceColumn, ...] = ()
    measures: tuple[Measure, ...] = ()
    score: float = 0.0
    why: tuple[str, ...] = ()
    junk: Junk | None = None

    @property
    def plain_key(self) -> tuple[SourceColumn, ...]:
        """The key's columns that are not already there as a date."""
        dated = {f"{role.name}_{tail}" for role in self.dates for tail in ("date", "at")}
        return tuple(column for column in self.key if column.name not in dated)


@dataclass(frozen=True, slots=True)
class Bridge:
    """A many-to-many association; `links` are those of its ends that are dimensions; `host` are the columns
    of the end over which the weights add up to 1 (a fact's row, or a dimension's)."""

    name: str
    table: str
    links: tuple[Link, ...]
    host: tuple[str, ...]
    attributes: tuple[SourceColumn, ...] = ()
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a source table became, its fact score (None where the score was not asked), and why."""

    table: str
    became: str
    score: float | None = None
    why: tuple[str, ...] = ()
    near_miss: str = ""
    alternative: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A foreign key that nobody declared: taken if `accepted`, else a question to the user."""

    hop: Hop
    score: float
    evidence: str
    accepted: bool
    because: str = "by its name"

    def __str__(self) -> str:
        """`orders.cust → customers.id (score 0.83: name 0.90, 78% of its values are found there)`."""
        return f"{link_text(self.hop)} ({self.evidence})"


@dataclass(frozen=True, slots=True)
class Star:
    """The whole draft. `verdicts` has one entry for every source table, in the source's order; `proposals`
    are the undeclared keys, taken or asked for; `notes` what the data says that nobody asked."""

    engine: str
    facts: tuple[Fact, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def histories(self) -> frozenset[str]:
        """The dimensions that hold versions, to which facts refer as of their date."""
        return frozenset(link.dimension for fact in self.facts for link in fact.links if link.as_of)

    def dimension(self, name: str) -> Dimension:
        """The dimension of that name; KeyError if there is none."""
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        raise KeyError(name)


@dataclass(frozen=True, slots=True)
class DraftedFile:
    """A file to write: `path` relative to the project, with forward slashes."""

    path: str
    text: str
