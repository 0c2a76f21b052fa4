# SPDX-License-Identifier: GPL-2.0-or-later
"""What a step is, and the table of all kinds of steps.

A kind is a class: its docstring says what it does, its fields are its keys. The first field bears
the kind's own name, `{ ping = "alice -> bob", within = 5 }` is a `Ping`. Reading, the messages for
who writes it wrong, and the reference in docs/scenarios.md follow from the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, dataclass_transform

from lab.scenario.values import Reader
from lab.topology import Topology

if TYPE_CHECKING:
    from lab.scenario.stage import Stage

S = TypeVar("S", bound="Step")

STEPS: Final[dict[str, type[Step]]] = {}
"""Every kind of step, by the key that stands first in it."""


def key(read: Reader, words: str, **default: Any) -> Any:
    """A key of a step: what reads its value, and what it means. Without `default`, required."""
    return field(metadata={"read": read, "words": words}, **default)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to do, or to see. What a step has seen, it reports in a few words.

    `attempt` raises NotYet while waiting may help, for `within` seconds, and Failed when not.
    """

    kind: ClassVar[str]
    acts: ClassVar[bool] = True
    """It changes something: what is looked at later counts from here."""
    within: float = 0
    """Seconds for which it is attempted again."""

    def attempt(self, stage: Stage) -> str:
        """Do it, once; return what to show beside it."""
        raise NotImplementedError

    def check(self, names: Topology) -> None:
        """Raise ScenarioError for what the keys, each right by itself, cannot mean together."""

    def __str__(self) -> str:
        """The step in one line, as its author wrote it."""
        shown = [(one.name, getattr(self, one.name), default(one)) for one in keys(type(self))]
        first = f"{self.kind.replace('_', ' ')} {_shown(shown[0][1])}"
        rest = [
            f"{name.replace('_', ' ')} {_shown(value)}"
            for name, value, default in shown[1:]
            if value != default and name not in ("within", "title")
        ]
        return ", ".join([first, *rest])


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(key,))
def kind(cls: type[S]) -> type[S]:
    """Make a class a dataclass, and enter it into the table as a kind of step."""
    made = dataclass(frozen=True, kw_only=True)(cls)
    first, *_ = keys(made)
    made.kind = first.name
    STEPS[first.name] = made
    return made


def keys(cls: type[Step]) -> list[Field[Any]]:
    """The fields of a kind that a scenario can set, its own name first."""
    own = [one for one in fields(cls) if one.metadata]
    return sorted(own, key=lambda one: one.name == "within")


def default(one: Field[Any]) -> Any:
    """Of a key; MISSING if it is required."""
    return one.default_factory() if one.default_factory is not MISSING else one.default


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and type(value) is tuple:
        return ", ".join(map(_shown, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    if isinstance(value, bool):
        return "" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
