"""YAML with line numbers: a document as plain values, and the line of each of its places."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Tag, ValidationError

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.text import nearest

_MAX_BYTES = 1 << 20
_Path = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


_BOOLEAN = re.compile(r"\A(?:true|True|TRUE|false|False|FALSE)\Z")  # YAML 1.2: `off` and `no` are words


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML that keeps every scalar but numbers, booleans and null as the text it is (no dates)."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - yaml's own protocol
        first: [
            (tag, _BOOLEAN if tag == "tag:yaml.org,2002:bool" else regexp)
            for tag, regexp in pairs
            if tag != "tag:yaml.org,2002:timestamp"
        ]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True, slots=True)
class Document:
    """`value` as read; `lines` maps the path of each key and item to its line in the file (1-based)."""

    file: str
    value: Any
    lines: Mapping[_Path, int]

    def line(self, path: _Path) -> int:
        """The line of the nearest place on the way to `path` that exists in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str, file: str, first_line: int = 1) -> Document:
    """Read one YAML document that begins at `first_line` of `file`.

    Raises UsageError with file and line for bad YAML, duplicate keys, aliases or a text over 1 MiB.
    """
    if len(text) > _MAX_BYTES:
        raise UsageError("the file is larger than 1 MiB", where=Where(file))
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = first_line + (mark.line if mark else 0)
        raise UsageError(f"not valid YAML: {error.problem}", where=Where(file, line)) from None
    except yaml.YAMLError as error:
        raise UsageError(f"not valid YAML: {error}", where=Where(file, first_line)) from None
    lines: dict[_Path, int] = {}
    if node is not None:
        _collect(node, (), lines, file, first_line, set())
    return Document(file, value, lines)


def _collect(
    node: yaml.Node, path: _Path, lines: dict[_Path, int], file: str, first: int, seen: set[int]
) -> None:
    if id(node) in seen:
        raise UsageError("aliases are not supported here", where=Where(file, first + node.start_mark.line))
    seen.add(id(node))
    lines.setdefault(path, first + node.start_mark.line)
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            line = first + key.start_mark.line
            if name in keys:
                raise UsageError(f"the key {name!r} stands twice", where=Where(file, line))
            keys.add(name)
            lines[(*path, name)] = line
            _collect(child, (*path, name), lines, file, first, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _collect(child, (*path, index), lines, file, first, seen)


def build(model: type[M], document: Document) -> M:
    """Validate a document. Raises ConfigErrors with one error a fault, each at its line."""
    try:
        return model.model_validate({} if document.value is None else document.value)
    except ValidationError as error:
        raise ConfigErrors([_error(model, document, dict(fault)) for fault in error.errors()]) from None


def _error(model: type[BaseModel], document: Document, fault: dict[str, Any]) -> UsageError:
    path, parent = _walked(model, tuple(part for part in fault["loc"] if part != "function-before"))
    where = Where(document.file, document.line(path))
    name = ".".join(str(part) for part in path) or "the file"
    if fault["type"] == "extra_forbidden":
        hint = nearest(str(path[-1]), list(parent.model_fields) if _is_model(parent) else [])
        return UsageError(f"{name}: there is no such field", where=where, hint=hint)
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "union_tag_invalid":
        context = fault["ctx"]
        message = f"{context['tag']!r} is none of {context['expected_tags']}"
    return UsageError(f"{name}: {message[:1].lower()}{message[1:]}", where=where)


def _walked(model: type[BaseModel], path: _Path) -> tuple[_Path, Any]:
    """The path as it stands in the file, without the tags by which Pydantic tells a union's members, and
    the annotation in which its last part stands, as far as the annotations tell."""
    current: Any = model
    parent: Any = model
    kept: list[str | int] = []
    for part in path:
        if (members := _tagged(current)) and str(part) in members:
            current = members[str(part)]
            continue
        kept.append(part)
        current = parent = _unwrapped(current)
        if _is_model(current):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        else:
            # A key of a dict or an index of a list: go on with what stands there.
            current = (get_args(current) or (None,))[-1]
    return tuple(kept), parent


def _tagged(annotation: Any) -> dict[str, Any]:
    """The members of a tagged union by tag; empty for anything else."""
    if get_origin(annotation) is not Annotated:
        return {}
    members: dict[str, Any] = {}
    for member in get_args(get_args(annotation)[0]):
        marks = get_args(member)[1:] if get_origin(member) is Annotated else ()
        members |= {mark.tag: get_args(member)[0] for mark in marks if isinstance(mark, Tag)}
    return members


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _unwrapped(annotation: Any) -> Any:
    """The model inside `X | None` or `Annotated[X, …]`; anything else as it is."""
    if get_origin(annotation) is Annotated:
        return _unwrapped(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next((arg for arg in get_args(annotation) if _is_model(arg)), None)
    return annotation
