# SPDX-License-Identifier: GPL-2.0-or-later
"""All that a TKM and its kernel hold, for comparison."""

from typing import Any

from tests.unit.trusted import Host
from tkm.core.machine import Context
from tkm.crypto.secret import Secret


def picture(host: Host) -> dict[tuple[str, int], str]:
    """The state of each context in use, by kind and number."""
    return {
        (context.table.name, context.number): context.state for context in host.manager.contexts
    }


def snapshot(host: Host) -> tuple[Any, ...]:
    """Everything: contexts with what they hold, secrets included, and the kernel's states."""
    contexts = {
        (context.table.name, context.number): _value(vars(context))
        for context in host.manager.contexts
    }
    return contexts, frozenset(host.kernel.states), tuple(host.kernel.policies)


def _value(value: Any) -> Any:
    match value:
        case Secret():
            return bytes(value.octets)
        case Context():
            return (type(value), value.number, id(value))
        case dict():
            return {name: _value(each) for name, each in value.items()}
        case list() | tuple():
            return [_value(each) for each in value]
        case object(__dict__=attributes) if type(value).__module__.startswith("tkm."):
            return (id(value), _value(attributes))
    return value
