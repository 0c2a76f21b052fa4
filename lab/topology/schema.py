# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON schema of topology files, for editors: keys, types, defaults, and what they mean.

What parts must be to each other, and where an address may be, only `lab.topology.parse` checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.topology.keys import AUTHORITY, LIFETIME, LINK, NODE, POLICY, TOP
from lab.topology.model import IKE, MODES
from lab.topology.table import Key

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = 1
"""Of the format."""

Schema = Mapping[str, Any]
_TYPES: Mapping[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array",
}
_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_TEXT_OR_TEXTS: Schema = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_PER_CENT: Schema = {"minimum": 0, "maximum": 100}
_MILLISECONDS: Schema = {"minimum": 0, "maximum": 60000}
_REPEAT: Schema = {
    "type": ["integer", "string"],
    "description": "How often the table repeats: a number, or the name of a parameter.",
}

_LINK_WORDS: Mapping[str, Schema] = {
    "mtu": {"description": "Octets of the largest IP packet.", "minimum": 1280, "maximum": 9000},
    "loss": {"description": "Per cent of frames that are lost.", **_PER_CENT},
    "delay": {"description": "Milliseconds that each frame takes longer.", **_MILLISECONDS},
    "jitter": {"description": "Milliseconds by which the delay varies.", **_MILLISECONDS},
    "reorder": {"description": "Per cent that overtake the delayed others.", **_PER_CENT},
    "duplicate": {"description": "Per cent that arrive twice.", **_PER_CENT},
    "rate": {"description": "At most so many bits a second, such as 10mbit."},
}
_NODE_WORDS: Mapping[str, Schema] = {
    "addresses": {
        "description": "By link, an address with its prefix length, or a list of them.",
        "additionalProperties": _TEXT_OR_TEXTS,
        "minProperties": 1,
    },
    "identity": {"description": "In its certificate, in strongSwan's syntax."},
    "ike": {"description": "Who does IKE.", "enum": ["", *IKE]},
    "routes": {"description": "Network, or default, and the next hop.", **_TEXTS},
    "forward": {"description": "It passes on what is not for itself."},
    "nat": {"description": "The link on which what it passes on leaves with its own address."},
    "ca": {"description": "The authority that has issued its certificate."},
    "run": {"description": "Programs that run on it, each a command line.", "items": _TEXT},
    "files": {"description": "Path below /etc, /run or /tmp, and its content.", **_TEXTS},
}
_AUTHORITY_WORDS: Mapping[str, Schema] = {"issuer": {"description": "Who has certified it."}}
_LIFETIME_WORDS: Mapping[str, Schema] = {
    "soft": {"description": "Seconds until it is rekeyed; 0: never.", "minimum": 0},
    "hard": {"description": "Seconds until it is deleted; 0: never.", "minimum": 0},
}
_POLICY_WORDS: Mapping[str, Schema] = {
    "between": {
        "description": "The names of its two nodes.",
        "items": _TEXT,
        "minItems": 2,
        "maxItems": 2,
    },
    "mode": {"description": "Of ESP.", "enum": list(MODES)},
    "addresses": {"description": "By node, the address from which it speaks.", **_TEXTS},
    "networks": {"description": "By node, the network behind it; tunnel mode only.", **_TEXTS},
    "lifetime": {"description": "Of the Child SAs."},
    "ike": {"description": "The IKE proposal, such as aes256-sha512-modp4096."},
    "esp": {"description": "The ESP proposal, such as aes256-sha512-modp4096."},
}


def schema() -> dict[str, Any]:
    """The schema of a topology file."""
    policy = _table(
        POLICY,
        {**_POLICY_WORDS, "lifetime": _merged(_POLICY_WORDS["lifetime"], LIFETIME)},
        repeats=True,
    )
    words: Mapping[str, Schema] = {
        "title": {"description": "What it shows, in a few words."},
        "parameters": {
            "description": "Numbers that `up --set NAME=NUMBER` changes.",
            "additionalProperties": {"type": "integer"},
        },
        "links": _named("Ethernet segments.", _table(LINK, _LINK_WORDS, repeats=True)),
        "nodes": _named("Hosts.", _table(NODE, _NODE_WORDS, repeats=True)),
        "authorities": _named("CAs.", _table(AUTHORITY, _AUTHORITY_WORDS, repeats=True)),
        "policies": {"description": "Who must talk ESP with whom.", "items": policy},
    }
    top = _table(TOP, words)
    return {"$schema": DIALECT, "title": f"tkm-lab topology, version {VERSION}", **top}


def _merged(words: Schema, keys: Mapping[str, Key]) -> Schema:
    return {**words, **_table(keys, _LIFETIME_WORDS)}


def _named(words: str, inside: Schema) -> Schema:
    return {"description": words, "additionalProperties": inside}


def _table(
    keys: Mapping[str, Key], words: Mapping[str, Schema], *, repeats: bool = False
) -> dict[str, Any]:
    """A table with these keys and no others."""
    properties: dict[str, Schema] = {name: _key(key, words[name]) for name, key in keys.items()}
    if repeats:
        properties["repeat"] = _REPEAT
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name, key in keys.items() if key.default is None],
        "additionalProperties": False,
    }


def _key(key: Key, words: Schema) -> Schema:
    kinds = [_TYPES[kind] for kind in key.kinds]
    default = {} if key.default is None else {"default": key.default}
    return {"type": kinds[0] if len(kinds) == 1 else kinds, **default, **words}
