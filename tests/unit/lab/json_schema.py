# SPDX-License-Identifier: GPL-2.0-or-later
"""A validator for the part of JSON Schema that our schemas use; it refuses all other keywords."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_SILENT = {"$schema", "$comment", "title", "description", "default", "properties"}


def faults(schema: Schema, value: Any, path: str = "") -> Iterator[str]:
    """What is wrong with a value, each with its place. KeyError: a keyword is not known here."""
    if "type" in schema and not _type(schema, value):
        yield f"{path or '/'}: type"
        return
    for word in schema.keys() - _SILENT:
        if not _CHECKS[word](schema, value):
            yield f"{path or '/'}: {word}"
    for name, inside in schema.get("properties", {}).items():
        if isinstance(value, dict) and name in value:
            yield from faults(inside, value[name], f"{path}/{name}")


def _fits(schema: Schema, value: Any) -> bool:
    return not list(faults(schema, value))


def _type(schema: Schema, value: Any) -> bool:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(type(value) in _TYPES[kind] for kind in kinds)


def _more(schema: Schema, value: Any) -> bool:
    """No property, or only those that fit, beside the ones with a name."""
    more = schema["additionalProperties"]
    others = [] if not isinstance(value, dict) else value.keys() - schema.get("properties", {})
    return not others if more is False else all(_fits(more, value[name]) for name in others)


_CHECKS: Mapping[str, Callable[[Schema, Any], bool]] = {
    "type": _type,
    "additionalProperties": _more,
    "enum": lambda schema, value: value in schema["enum"],
    "required": lambda schema, value: set(schema["required"]) <= set(value),
    "items": lambda schema, value: all(_fits(schema["items"], each) for each in value),
    "anyOf": lambda schema, value: any(_fits(each, value) for each in schema["anyOf"]),
    "oneOf": lambda schema, value: sum(_fits(each, value) for each in schema["oneOf"]) == 1,
    "minimum": lambda schema, value: value >= schema["minimum"],
    "maximum": lambda schema, value: value <= schema["maximum"],
    "minItems": lambda schema, value: len(value) >= schema["minItems"],
    "maxItems": lambda schema, value: len(value) <= schema["maxItems"],
    "minProperties": lambda schema, value: len(value) >= schema["minProperties"],
    "pattern": lambda schema, value: bool(re.search(schema["pattern"], value)),
}
