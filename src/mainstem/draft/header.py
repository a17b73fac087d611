"""The YAML header that opens a model file."""

from __future__ import annotations

from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Flow style for small mappings and lists, block style for the rest."""


class _Flow(dict[str, Any]):
    pass


class _FlowList(list[Any]):
    pass


def _flow_map(dumper: yaml.SafeDumper, value: _Flow) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)


def _flow_list(dumper: yaml.SafeDumper, value: _FlowList) -> yaml.Node:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)


_Dumper.add_representer(_Flow, _flow_map)
_Dumper.add_representer(_FlowList, _flow_list)


def flow(**values: Any) -> dict[str, Any]:
    """A mapping on one line, without its empty values."""
    return _Flow({key: value for key, value in values.items() if value not in ("", None)})


def flow_list(values: list[str]) -> list[str]:
    """A list on one line."""
    return _FlowList(values)


def dump(document: dict[str, Any]) -> str:
    """The document as YAML: order kept, wide lines, letters as they are."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=160, default_flow_style=False
    )


def comment(document: dict[str, Any]) -> str:
    """The header as the block comment that a model file begins with."""
    shown = {key: value for key, value in document.items() if value not in ("", None, [], {})}
    return "/* mainstem\n" + dump(shown).replace("*/", "* /") + "*/\n"
