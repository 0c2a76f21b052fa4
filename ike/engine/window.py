# SPDX-License-Identifier: GPL-2.0-or-later
"""Message ids and repetition (RFC 7296, 2.1 to 2.3). The window is one request each way.

Messages are tuples of datagrams, since a message can travel in fragments (RFC 7383).
"""

from collections.abc import Sequence

from ike.value import Value

Datagrams = tuple[bytes, ...]


class Retransmission(Value):
    """When a request is repeated: after ``first`` seconds, and each time ``factor`` times later.

    Attributes:
        tries: How often, before the peer is given up.
    """

    first: float = 1.0
    factor: float = 1.8
    tries: int = 7

    def delay(self, sent: int) -> float:
        """Seconds to wait for a response after a request was sent ``sent`` times."""
        return float(self.first * self.factor ** (sent - 1))


class Requests:
    """Our requests: one at a time, repeated until it is answered or given up.

    Attributes:
        next_id: Message id of the next new request.
        deadline: When the one that is out is due again; ``None`` if none is out.
    """

    def __init__(self, retransmission: Retransmission, next_id: int = 0) -> None:
        self.next_id = next_id
        self.deadline: float | None = None
        self._retransmission = retransmission
        self._datagrams: Datagrams = ()
        self._sent = 0

    def send(self, datagrams: Datagrams, now: float) -> None:
        """A new request, or another in place of the one that is out, is being sent."""
        self._datagrams = datagrams
        self._sent = 1
        self.deadline = now + self._retransmission.delay(1)

    def awaits(self, message_id: int) -> bool:
        """A response with this id answers the request that is out."""
        return self.deadline is not None and message_id == self.next_id

    def answered(self) -> None:
        """Note that the request that is out, if any, is answered: the next one has the next ID."""
        if self.deadline is None:
            return
        self.deadline = None
        self._datagrams = ()
        self.next_id += 1

    def stop(self) -> None:
        """Do not repeat the request that is out any more."""
        self.deadline = None

    def last_try(self) -> None:
        """Do not repeat the request that is out: wait once more, then give up."""
        self._sent = self._retransmission.tries + 1

    def repeat(self, now: float) -> Datagrams:
        """The deadline has passed: what to send again; nothing if the peer is given up."""
        if self._sent > self._retransmission.tries:
            self.deadline = None
            return ()
        self._sent += 1
        self.deadline = now + self._retransmission.delay(self._sent)
        return self._datagrams


class Responses:
    """The peer's requests, in their order, and the last response, for when it gets lost.

    Attributes:
        expected: Message id of the peer's next request.
    """

    def __init__(self, expected: int = 0) -> None:
        self.expected = expected
        self._request: Datagrams = ()
        self._response: Datagrams = ()

    def repeated(self, message_id: int, datagram: bytes) -> Datagrams:
        """The response to send again, if this is the last request once more, octet for octet.

        Anything else would let a forger have us send.
        """
        return self.last(message_id) if self._request[:1] == (datagram,) else ()

    def last(self, message_id: int) -> Datagrams:
        """The response to the last request, if this is its id."""
        return self._response if message_id == self.expected - 1 else ()

    def answer(self, request: Sequence[bytes], response: Datagrams) -> None:
        """The expected request is answered."""
        self._request = tuple(request)
        self._response = response
        self.expected += 1
