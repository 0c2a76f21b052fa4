# SPDX-License-Identifier: GPL-2.0-or-later
"""Hypothesis strategies for everything that the tables of operations describe."""

from typing import Any

from hypothesis import strategies as st

from tkm.rpc.fields import Field, Fixed, Flag, Octets, Sequence, Unsigned
from tkm.rpc.record import Record

MUCH = 600
"""Octets of a variable field are seldom more: enough to be longer than any fixed one."""


def values(field: Field) -> st.SearchStrategy[Any]:
    """Values within the bounds of a field."""
    match field:
        case Flag():
            return st.booleans()
        case Unsigned():
            return st.integers(field.low, field.high)
        case Fixed():
            return st.binary(min_size=field.length, max_size=field.length)
        case Octets():
            some = st.binary(min_size=field.low, max_size=min(field.high, MUCH))
            return some | st.just(bytes(field.high))
        case Sequence():
            return st.lists(values(field.item), min_size=field.low, max_size=field.high).map(tuple)
    raise TypeError(f"no strategy for {field!r}")


def bad_values(field: Field) -> list[Any]:
    """Values just outside of the bounds of a field."""
    match field:
        case Unsigned():
            return [value for value in (field.low - 1, field.high + 1) if value != 0 or field.low]
        case Fixed():
            return [bytes(field.length - 1), bytes(field.length + 1)]
        case Octets():
            return [bytes(field.high + 1), *([bytes(field.low - 1)] if field.low else [])]
        case Sequence():
            good = _some(field.item)
            wrong = [(good,) * field.low + (bad,) for bad in bad_values(field.item)]
            few = [(good,) * (field.low - 1)] if field.low else []
            return [(good,) * (field.high + 1), *few, *wrong]
    raise TypeError(f"no bad values for {field!r}")


def _some(field: Field) -> Any:
    return field.low if isinstance(field, Unsigned) else bytes(4)


def records(kind: type[Record]) -> st.SearchStrategy[Record]:
    """Records of a kind."""
    fields = {name: values(field) for name, field in kind.fields.items()}
    return st.fixed_dictionaries(fields).map(lambda chosen: kind(**chosen))


def example(kind: type[Record]) -> Record:
    """The one record of a kind whose values are the least allowed."""
    return kind(**{name: _least(field) for name, field in kind.fields.items()})


def _least(field: Field) -> Any:
    match field:
        case Flag():
            return False
        case Unsigned():
            return field.low
        case Fixed():
            return bytes(field.length)
        case Octets():
            return bytes(field.low)
        case Sequence():
            return (_least(field.item),) * field.low
    raise TypeError(f"no example for {field!r}")
