# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors that the peer causes, each with the Notify that answers it (RFC 7296, 2.21).

Code that raises one has given back everything that it took before.
"""

from ike.errors import IkeError
from ike.message.numbers import NotifyType


class PeerError(IkeError):
    """The peer has done what is forbidden, or what we do not accept.

    Attributes:
        notify: The Notify message type that answers it (RFC 7296, 3.10.1).
        data: The Notify's data.
    """

    notify: int = NotifyType.INVALID_SYNTAX

    def __init__(self, reason: str, *, data: bytes = b"") -> None:
        super().__init__(reason)
        self.data = data


class MalformedMessage(PeerError):
    """A message or payload breaks the wire format. Fatal to the IKE SA if it was authenticated."""


class UnknownExchange(PeerError):
    """A request of an exchange type that we do not know. The IKE SA lives (2.21.3, 2.5)."""


class UnsupportedCriticalPayload(PeerError):
    """A payload of unknown type, marked as critical (2.5); ``data`` is its type."""

    notify = NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD


class InvalidMajorVersion(PeerError):
    """A later major version than 2 (2.5); ``data`` is ours."""

    notify = NotifyType.INVALID_MAJOR_VERSION


class Unauthenticated(PeerError):
    """A message that need not come from the peer: dropped and logged, and nothing changes."""


class NoProposalChosen(PeerError):
    """No proposal is acceptable (2.7)."""

    notify = NotifyType.NO_PROPOSAL_CHOSEN


class InvalidKePayload(PeerError):
    """The KE payload is of another group than the chosen proposal (1.2); ``data`` is the group."""

    notify = NotifyType.INVALID_KE_PAYLOAD


class AuthenticationFailed(PeerError):
    """The peer has not proven its identity (2.21.2)."""

    notify = NotifyType.AUTHENTICATION_FAILED


class TsUnacceptable(PeerError):
    """No traffic selectors in common (2.9)."""

    notify = NotifyType.TS_UNACCEPTABLE


class NoAdditionalSas(PeerError):
    """No more Child SAs on this IKE SA (1.3)."""

    notify = NotifyType.NO_ADDITIONAL_SAS


class OutOfContexts(NoAdditionalSas):
    """The peer wants more SAs than the TKM has room for."""


class TemporaryFailure(PeerError):
    """The request collides with something that is under way (2.25)."""

    notify = NotifyType.TEMPORARY_FAILURE


class StateNotFound(PeerError):
    """The request follows another one that we know nothing of (RFC 9370, 2.2.4)."""

    notify = NotifyType.STATE_NOT_FOUND


class Declined(PeerError):
    """The peer answered our request with an error Notify.

    Attributes:
        notify: Its type.
    """

    def __init__(self, notify: int, reason: str, *, data: bytes = b"") -> None:
        super().__init__(reason, data=data)
        self.notify = notify


class TrustedRefusal(PeerError):
    """The TKM does not accept what the peer gave; nothing has changed.

    Attributes:
        result: The TKM's result code.
    """

    def __init__(self, notify: int, reason: str, result: int) -> None:
        super().__init__(reason)
        self.notify = notify
        self.result = result
