# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON schema of scenario files, for editors: keys, and all kinds of steps.

Names of nodes and links are texts here: only `lab.scenario.model` knows the topology.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from inspect import getdoc
from typing import Any

from lab.scenario import values
from lab.scenario.certificates import FLAWS
from lab.scenario.model import KEYS
from lab.scenario.needs import FEATURES
from lab.scenario.step import Step, default, keys
from lab.scenario.steps import STEPS
from lab.topology import IKE
from lab.topology.schema import DIALECT, Schema

VERSION = 1
"""Of the format."""
_TYPES: Mapping[type, str] = {str: "string", dict: "object", list: "array", bool: "boolean"}
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
_PAIR: Schema = {"type": "string", "pattern": r"^\S+ <?-> \S+$"}
_READERS: Mapping[values.Reader, Schema] = {
    values.flag: {"type": "boolean"},
    values.number: {"type": "integer", "minimum": 0},
    values.seconds: {"type": "number", "minimum": 0, "maximum": 3600},
    values.percent: {"type": "number", "minimum": 0, "maximum": 100},
    values.texts: _TEXTS,
    values.nodes: _TEXTS,
    values.command: _TEXTS,
    values.pair: _PAIR,
    values.protected: _PAIR,
    values.daemon: {"type": "string", "pattern": r".+ on \S+$"},
    values.counters: {"type": "object", "additionalProperties": {"type": "integer"}},
    values.values: {"type": "object", "additionalProperties": _TEXT},
}
"""What each reader takes; all others take texts."""
_LIFETIMES: Schema = {
    "properties": {"soft": {"type": "integer"}, "hard": {"type": "integer"}},
    "additionalProperties": False,
}
_WORDS: Mapping[str, Schema] = {
    "title": {"description": "What happens, in a few words."},
    "holds": {"description": "What must hold, in words."},
    "topology": {"description": "One that is shipped, or a path from this file."},
    "set": {
        "description": "Values of the topology's parameters.",
        "additionalProperties": {"type": "integer"},
    },
    "ike": {"description": "By node, who does IKE.", "additionalProperties": {"enum": list(IKE)}},
    "lifetime": {"description": "Of the Child SAs, in seconds.", **_LIFETIMES},
    "far_lifetime": {"description": "The same at the far side.", **_LIFETIMES},
    "proposals": {
        "description": "The proposals of IKE and ESP.",
        "properties": {"ike": _TEXT, "esp": _TEXT},
        "additionalProperties": False,
    },
    "far": {"description": "The nodes whose back end `--far` changes.", "items": _TEXT},
    "needs": {
        "description": "What every IKE daemon in it must know.",
        "items": {"enum": list(FEATURES)},
    },
    "identities": {
        "description": "By node, what is wrong with its certificate.",
        "additionalProperties": {"enum": list(FLAWS)},
    },
    "plain_text": {"description": "Whether plain text is fine on a black link, after all."},
    "steps": {"description": "What happens, and what must hold.", "minItems": 1},
}


def schema() -> dict[str, Any]:
    """The schema of a scenario file."""
    properties: dict[str, Schema] = {
        name: _described(_WORDS[name], _TYPES[kind], default)
        for name, (kind, default) in KEYS.items()
    }
    steps = {"items": {"oneOf": [_step(kind) for kind in STEPS.values()]}}
    return {
        "$schema": DIALECT,
        "title": f"tkm-lab scenario, version {VERSION}",
        "type": "object",
        "properties": properties | {"steps": {**properties["steps"], **steps}},
        "required": [name for name, (_, default) in KEYS.items() if default is None],
        "additionalProperties": False,
    }


def _described(words: Schema, kind: str, default: Any) -> Schema:
    return {"type": kind, **({} if default is None else {"default": default}), **words}


def _step(kind: type[Step]) -> Schema:
    return {
        "description": " ".join((getdoc(kind) or "").split()),
        "type": "object",
        "properties": {one.name: _value(one.metadata) for one in keys(kind)},
        "required": [one.name for one in keys(kind) if default(one) is MISSING],
        "additionalProperties": False,
    }


def _value(metadata: Mapping[str, Any]) -> Schema:
    read: values.Reader = metadata["read"]
    choices = values.CHOICES.get(read)
    taken: Schema = {"enum": list(choices)} if choices else _READERS.get(read, _TEXT)
    return {"description": metadata["words"], **taken}
