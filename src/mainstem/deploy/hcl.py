"""Terraform's language as values, and their text, laid out as `terraform fmt` leaves it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

INDENT = "  "


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression that stands as it is: `aws_s3_bucket.lake.arn`."""

    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A quoted text whose `${…}` Terraform fills in. A plain str is a text that means itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Json:
    """A value that Terraform writes as JSON: a policy."""

    value: Value


Value = str | int | bool | Expr | Template | Json | Sequence["Value"] | Mapping[str, "Value"]


@dataclass(frozen=True, slots=True)
class Comment:
    """Why the next line is there; wrapped by its author."""

    text: str


@dataclass(frozen=True, slots=True)
class Attr:
    """`name = value`."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Block:
    """`type "label" "label" { … }`. An empty line stands wherever `Gap` does, and around inner blocks."""

    type: str
    labels: tuple[str, ...]
    body: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """An empty line."""


Item = Attr | Block | Comment | Gap


def resource(type_: str, name: str, *body: Item) -> Block:
    """`resource "type" "name" { … }`."""
    return Block("resource", (type_, name), body)


def block(type_: str, *body: Item) -> Block:
    """A block without labels."""
    return Block(type_, (), body)


def attrs(**values: Value) -> tuple[Attr, ...]:
    """Attributes in the order given."""
    return tuple(Attr(name, value) for name, value in values.items())


def text_of(items: Sequence[Item]) -> str:
    """A file: its top-level items with an empty line between blocks."""
    lines: list[str] = []
    for item in items:
        after_comment = bool(lines) and lines[-1].startswith("#")
        if lines and not after_comment and lines[-1] and not isinstance(item, Gap):
            lines.append("")
        lines.extend(_lines([item], ""))
    return "\n".join(lines).rstrip("\n") + "\n"


def _lines(items: Sequence[Item], indent: str) -> Iterator[str]:
    """The items' lines; `=` of attributes that follow each other, a line each, stand in one column."""
    run: list[tuple[str, str]] = []
    for place, item in enumerate(items):
        value = _value(item.value, indent) if isinstance(item, Attr) else ""
        if isinstance(item, Attr) and "\n" not in value:
            run.append((item.name, value))
            continue
        yield from _aligned(run, indent)
        run = []
        match item:
            case Attr(name, _):
                yield f"{indent}{name} = {value}"
            case Comment(text):
                yield from (f"{indent}# {line}".rstrip() for line in text.splitlines())
            case Gap():
                yield ""
            case Block():
                if place and not isinstance(items[place - 1], Comment | Gap):
                    yield ""
                yield from _block(item, indent)
                following = items[place + 1] if place + 1 < len(items) else None
                if isinstance(following, Attr | Comment):
                    yield ""
    yield from _aligned(run, indent)


def _block(item: Block, indent: str) -> Iterator[str]:
    head = " ".join([item.type, *(_quoted(label) for label in item.labels)])
    if not item.body:
        yield f"{indent}{head} {{}}"
        return
    yield f"{indent}{head} {{"
    yield from _lines(item.body, indent + INDENT)
    yield f"{indent}}}"


def _aligned(run: Sequence[tuple[str, str]], indent: str) -> Iterator[str]:
    width = max((len(name) for name, _ in run), default=0)
    yield from (f"{indent}{name:<{width}} = {value}" for name, value in run)


def _value(value: Value, indent: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Expr):
        return value.text
    if isinstance(value, Template):
        return '"' + _escaped(value.text) + '"'
    if isinstance(value, Json):
        return f"jsonencode({_value(value.value, indent)})"
    if isinstance(value, Mapping):
        return _object(value, indent)
    return _list(value, indent)


def _list(values: Sequence[Value], indent: str) -> str:
    inner = [_value(value, indent + INDENT) for value in values]
    if len(inner) < 2 and not any("\n" in text for text in inner):
        return f"[{', '.join(inner)}]"
    if len(inner) == 1:  # one structure: its braces stand beside the brackets
        return f"[{_value(values[0], indent)}]"
    lines = "".join(f"{indent}{INDENT}{text},\n" for text in inner)
    return f"[\n{lines}{indent}]"


def _object(values: Mapping[str, Value], indent: str) -> str:
    if not values:
        return "{}"
    items = [Attr(_key(name), value) for name, value in values.items()]
    lines = "\n".join(_lines(items, indent + INDENT))
    return f"{{\n{lines}\n{indent}}}"


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and not name[0].isdigit() else _quoted(name)


def _quoted(text: str) -> str:
    return '"' + _escaped(text).replace("${", "$${").replace("%{", "%%{") + '"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
