# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests and replies: records of typed fields, declared once.

A record class is a row of annotations, ``name: Annotated[python type, field]``, and that row is
everything: the constructor that mypy checks, the octets, the bounds and the documentation follow
from it. (Dataclasses would do, but they cost a millisecond each where imports are slow.)
"""

import re
from typing import Any, ClassVar, Self, dataclass_transform, get_type_hints

from tkm.rpc.fields import Field
from tkm.rpc.result import FieldError
from tkm.rpc.wipe import Buffer, wipe


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record:
    """A row of fields. Immutable by custom, made by keyword, compared by value."""

    fields: ClassVar[dict[str, Field]] = {}
    defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        hints = get_type_hints(cls, include_extras=True)
        cls.fields = {
            name: field
            for name, hint in hints.items()
            for field in getattr(hint, "__metadata__", ())
            if isinstance(field, Field)
        }
        cls.defaults = {name: getattr(cls, name) for name in cls.fields if hasattr(cls, name)}

    def __init__(self, **given: Any) -> None:
        self.__dict__.update(self.defaults, **given)
        if self.__dict__.keys() != self.fields.keys():
            raise TypeError(f"{type(self).__name__} takes {', '.join(self.fields) or 'nothing'}")

    def encode(self) -> bytearray:
        """The octets of the fields, in their order.

        :raises FieldError: a value is out of its bounds.
        """
        octets, values = [], self.__dict__
        for name, field in self.fields.items():
            try:
                octets.append(field.encode(values[name]))
            except FieldError as error:
                raise FieldError(f"{name}: {error}", error.result) from None
        try:
            return bytearray().join(octets)
        finally:
            for piece in octets:
                if isinstance(piece, bytearray):
                    wipe(piece)

    def wipe(self) -> None:
        """Zero the values of secret fields, where they can be."""
        for name, field in self.fields.items():
            value = self.__dict__[name]
            if field.secret and not isinstance(value, bytes):
                wipe(value)

    @classmethod
    def decode(cls, body: Buffer, *, padded: bool = False) -> Self:
        """The record in ``body``; behind the last field there is only padding, if at all.

        :raises FieldError: a value is out of its bounds, or the body is too short or too long.
        """
        values: dict[str, Any] = {}
        at = 0
        for name, field in cls.fields.items():
            try:
                values[name], at = field.decode(body, at)
            except FieldError as error:
                raise FieldError(f"{name}: {error}", error.result) from None
        if at != len(body) and not padded:
            raise FieldError(f"{len(body) - at} octets behind the last field")
        record = cls.__new__(cls)  # the values are complete: no need to look again
        record.__dict__.update(values)
        return record

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *map(self.__dict__.get, self.fields)))

    def __repr__(self) -> str:
        # A record can hold keys or plain text, and a repr ends up in logs: lengths only.
        values = (f"{name}={_shown(self.__dict__[name])}" for name in self.fields)
        return f"{type(self).__name__}({', '.join(values)})"


def _shown(value: object) -> str:
    return f"<{len(value)} octets>" if isinstance(value, Buffer) else repr(value)


class Empty(Record):
    """A reply that says nothing but Ok."""


def snake_case(name: str) -> str:
    """``EsaCreateNoPfs`` → ``esa_create_no_pfs``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
