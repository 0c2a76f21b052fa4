# SPDX-License-Identifier: GPL-2.0-or-later
"""Values: payloads, events, settings. Made once, compared by what is in them.

A class of values is a row of annotations with optional defaults, as with a frozen dataclass, to
people and to type checkers alike. Dataclasses themselves are not used because each costs a
millisecond or two to import, ten times that inside of User-Mode Linux, and this daemon has fifty.
"""

from typing import Any, ClassVar, NoReturn, dataclass_transform, get_origin


@dataclass_transform(frozen_default=True)
class Value:
    """Base of all classes of values."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        origins: dict[str, object] = {n: get_origin(h) for n, h in cls.__annotations__.items()}
        names = [name for name, origin in origins.items() if origin is not ClassVar]
        cls._fields = (*cls._fields, *(name for name in names if name not in cls._fields))
        cls._defaults = cls._defaults | {n: cls.__dict__[n] for n in names if n in cls.__dict__}

    def __init__(self, *values: Any, **named: Any) -> None:
        if len(values) == len(self._fields) and not named:  # what payloads are made by
            self.__dict__.update(zip(self._fields, values, strict=True))
            return
        given = dict(zip(self._fields, values, strict=False))
        given.update(named)
        if len(given) != len(self._fields):
            given = self._defaults | given
        if given.keys() != set(self._fields) or len(values) > len(self._fields):
            raise TypeError(f"{type(self).__name__} takes {', '.join(self._fields) or 'nothing'}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is a value: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *(self.__dict__[name] for name in self._fields)))

    def __repr__(self) -> str:
        fields = (f"{name}={_shown(self.__dict__[name])}" for name in self._fields)
        return f"{type(self).__name__}({', '.join(fields)})"


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) and value else repr(value)
