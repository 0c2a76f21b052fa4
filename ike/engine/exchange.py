# SPDX-License-Identifier: GPL-2.0-or-later
"""What every exchange of ours is: a request, and what to make of its response.

An exchange waits in its IKE SA's queue and takes nothing from the TKM before its request is built.
From then on it owns what it has taken, until a Child SA or an IKE SA owns it, or it is abandoned.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from ike.config.model import ChildConfig
from ike.engine.events import ChildSaFailed
from ike.errors import MalformedMessage, PeerError
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payload import Payload

if TYPE_CHECKING:
    from ike.engine.ike_sa import IkeSa

log = logging.getLogger("ike")


class Scope(Enum):
    """What an exchange changes."""

    NOTHING = "nothing"
    CHILD_SA = "a Child SA"
    IKE_SA = "the IKE SA"


class Exchange(ABC):
    """One request of ours.

    :cvar kind: its exchange type.
    :ivar is_about: what it changes, for some changes cannot go on side by side (2.25).
    :ivar not_before: when it may begin.
    :ivar creates: the Child SA that would come of it; ``None``: no new one.
    """

    kind: ClassVar[ExchangeType]
    scope: Scope = Scope.NOTHING
    not_before: float = 0.0
    creates: ChildConfig | None = None

    def is_wanted(self, sa: "IkeSa") -> bool:
        """It still makes sense to begin."""
        return True

    @abstractmethod
    def request(self, sa: "IkeSa") -> Sequence[Payload]:
        """Build the request.

        :raises PeerError: the TKM refuses its part; :meth:`failed` is called then.
        """

    @abstractmethod
    def response(self, sa: "IkeSa", message: Message) -> Sequence[Payload] | None:
        """Take the response; gives the request to send in its place, if another has to be.

        :raises PeerError: it is an error, or no good; :meth:`failed` is called then.
        """

    def failed(self, sa: "IkeSa", error: PeerError) -> None:
        """It has failed."""
        log.info("%s failed: %s", type(self).__name__, error)
        self.abandon()
        if isinstance(error, MalformedMessage):
            sa.delete(str(error))

    def abandon(self) -> None:  # noqa: B027
        """Give back what it has taken; nothing comes of it any more."""

    def drop(self, sa: "IkeSa", reason: str) -> None:
        """It is not done, and not done elsewhere: whoever waits for it is told why."""
        self.abandon()
        if self.creates:
            sa.context.tell(ChildSaFailed(sa.id, self.creates, reason))

    def again(self) -> "Exchange | None":
        """One that does the same, on the IKE SA that takes the place of one that was closed."""
        return None
