# SPDX-License-Identifier: GPL-2.0-or-later
"""States of IKE SAs and Child SAs.

A change of state that is not in the tables does not happen. ``advance`` raises, since
it is our own mistake; what a peer may do in which state is in :mod:`ike.engine.dispatch`.

An IKE SA begins as ``NEW``. Ours goes through ``CONNECTING`` (IKE_SA_INIT is sent) and
``AUTHENTICATING`` (IKE_INTERMEDIATE, if needed, and IKE_AUTH are sent), the peer's through
``HALF_OPEN`` (IKE_SA_INIT is answered); one that takes another's place starts out ``ESTABLISHED``.
``REKEYED`` means that another has taken its place, and it waits to be deleted. ``DELETING``: we
have sent a Delete. ``GONE``: it holds nothing any more, but still answers repetitions
of the peer's last request for a while.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from ike.errors import LocalError


class State(Enum):
    """Of an IKE SA."""

    NEW = "new"
    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    HALF_OPEN = "half open"
    ESTABLISHED = "established"
    REKEYED = "rekeyed"
    DELETING = "deleting"
    GONE = "gone"


class Trigger(Enum):
    """What moves an IKE SA on."""

    INITIATE = "we send IKE_SA_INIT"
    ANSWER = "we answer IKE_SA_INIT"
    KEYED = "IKE_SA_INIT is done"
    AUTHENTICATED = "IKE_AUTH is done"
    SUCCEED = "it takes the place of a rekeyed one"
    REPLACED = "another takes its place"
    DELETE = "we send a Delete"
    CLOSE = "it is over"


IKE_SA: Mapping[State, Mapping[Trigger, State]] = {
    State.NEW: {
        Trigger.INITIATE: State.CONNECTING,
        Trigger.ANSWER: State.HALF_OPEN,
        Trigger.SUCCEED: State.ESTABLISHED,
        Trigger.CLOSE: State.GONE,
    },
    State.CONNECTING: {Trigger.KEYED: State.AUTHENTICATING, Trigger.CLOSE: State.GONE},
    State.AUTHENTICATING: {
        Trigger.AUTHENTICATED: State.ESTABLISHED,
        Trigger.DELETE: State.DELETING,
        Trigger.CLOSE: State.GONE,
    },
    State.HALF_OPEN: {Trigger.AUTHENTICATED: State.ESTABLISHED, Trigger.CLOSE: State.GONE},
    State.ESTABLISHED: {
        Trigger.REPLACED: State.REKEYED,
        Trigger.DELETE: State.DELETING,
        Trigger.CLOSE: State.GONE,
    },
    State.REKEYED: {
        Trigger.REPLACED: State.REKEYED,
        Trigger.DELETE: State.DELETING,
        Trigger.CLOSE: State.GONE,
    },
    State.DELETING: {Trigger.CLOSE: State.GONE},
    State.GONE: {},
}


class ChildState(Enum):
    """Of a Child SA."""

    INSTALLED = "installed"
    REKEYING = "rekeying"
    REKEYED = "rekeyed"
    DELETING = "deleting"
    GONE = "gone"


class ChildTrigger(Enum):
    """What moves a Child SA on."""

    REKEY = "we ask to rekey it"
    KEEP = "the peer does not rekey it"
    REPLACED = "another takes its place"
    DELETE = "we send a Delete"
    CLOSE = "it is over"


CHILD_SA: Mapping[ChildState, Mapping[ChildTrigger, ChildState]] = {
    ChildState.INSTALLED: {
        ChildTrigger.REKEY: ChildState.REKEYING,
        ChildTrigger.REPLACED: ChildState.REKEYED,
        ChildTrigger.DELETE: ChildState.DELETING,
        ChildTrigger.CLOSE: ChildState.GONE,
    },
    ChildState.REKEYING: {
        ChildTrigger.KEEP: ChildState.INSTALLED,
        ChildTrigger.REPLACED: ChildState.REKEYED,
        ChildTrigger.DELETE: ChildState.DELETING,
        ChildTrigger.CLOSE: ChildState.GONE,
    },
    ChildState.REKEYED: {
        ChildTrigger.REPLACED: ChildState.REKEYED,
        ChildTrigger.DELETE: ChildState.DELETING,
        ChildTrigger.CLOSE: ChildState.GONE,
    },
    ChildState.DELETING: {ChildTrigger.CLOSE: ChildState.GONE},
    ChildState.GONE: {},
}

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


def advance(table: Mapping[S, Mapping[T, S]], state: S, trigger: T) -> S:
    """The state after ``trigger``.

    Raises:
        LocalError: The table does not have it.
    """
    try:
        return table[state][trigger]
    except KeyError:
        raise LocalError(f"{trigger.value}: impossible while {state.value}") from None
