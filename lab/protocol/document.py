# SPDX-License-Identifier: GPL-2.0-or-later
"""Records as JSON, and back, by their annotations.

A lab remembers what it was built from (`Lab.create(about=...)`), so that every front end that
comes later knows. Whatever class a record gets its fields from: dataclasses, mappings, tuples,
unions, and anything that is made from its own text, such as addresses.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN = (str, int, float, bool, type(None))


def encode(value: Any) -> Any:
    """What `json.dumps` takes."""
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value if isinstance(value, _PLAIN) else str(value)


def decode(kind: type[T], value: Any) -> T:
    """The record of this class that `encode` has made `value` from.

    Raises ValueError, TypeError, KeyError: it did not.
    """
    made: T = _decode(kind, value)
    return made


def _decode(kind: Any, value: Any) -> Any:
    origin, inside = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _decode(hints[name], item) for name, item in value.items()})  # type: ignore[operator]
    if origin in (Union, types.UnionType):
        return _decode_one_of(inside, value)
    if origin is tuple:
        each = inside[:1] * len(value) if inside[-1] is Ellipsis else inside
        return tuple(_decode(one, item) for one, item in zip(each, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {_decode(inside[0], key): _decode(inside[1], item) for key, item in value.items()}
    return value if kind in _PLAIN or kind is Any else kind(value)


def _decode_one_of(kinds: tuple[Any, ...], value: Any) -> Any:
    """By the first that takes it; nothing but nothing is None."""
    if value is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _decode(kind, value)
        except ValueError:
            continue
    raise ValueError(f"{value!r} is none of {kinds}")
