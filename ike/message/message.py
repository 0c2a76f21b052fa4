# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole message: header and payloads."""

from collections.abc import Iterator
from typing import Self, TypeVar

from ike.message.chain import decode_chain, encode_chain
from ike.message.errors import Declined, MalformedMessage
from ike.message.header import Header
from ike.message.numbers import ExchangeType, NotifyType, name
from ike.message.payloads import Notify, Payload
from ike.value import Value

P = TypeVar("P", bound=Payload)


class Message(Value):
    """A message, as it is on the wire or, once opened, inside of its Encrypted payload."""

    header: Header
    payloads: tuple[Payload, ...]

    def encode(self) -> bytes:
        """The message's octets."""
        first, chain = encode_chain(self.payloads)
        return self.header.encode(first, Header.LENGTH + len(chain)) + chain

    @classmethod
    def decode(cls, datagram: bytes) -> Self:
        """The message in a datagram; what is encrypted stays so.

        Raises:
            PeerError: It is none.
        """
        header, first = Header.decode(datagram)
        return cls(header, decode_chain(first, datagram[Header.LENGTH :]))

    def all(self, kind: type[P]) -> Iterator[P]:
        """The payloads of a class, in order."""
        return (payload for payload in self.payloads if isinstance(payload, kind))

    def find(self, kind: type[P]) -> P | None:
        """The payload of a class, if there is one.

        Raises:
            MalformedMessage: There are several.
        """
        found = list(self.all(kind))
        if len(found) > 1:
            raise MalformedMessage(f"{len(found)} {kind.label} payloads in {self}")
        return found[0] if found else None

    def need(self, kind: type[P]) -> P:
        """The payload of a class.

        Raises:
            MalformedMessage: There is none, or there are several.
        """
        found = self.find(kind)
        if found is None:
            raise MalformedMessage(f"no {kind.label} payload in {self}")
        return found

    def notify(self, kind: NotifyType) -> Notify | None:
        """The first Notify of a type, if there is one."""
        return next((notify for notify in self.all(Notify) if notify.kind == kind), None)

    def raise_error(self) -> None:
        """Raise the first error Notify of a response, if there is one.

        Raises:
            Declined: With the Notify's type and data.
        """
        for notify in self.all(Notify):
            if NotifyType.is_error(notify.kind):
                reason = f"the peer answers {name(NotifyType, notify.kind)}"
                raise Declined(notify.kind, reason, data=notify.data)

    def __str__(self) -> str:
        exchange = name(ExchangeType, self.header.exchange)
        kind = "response" if self.header.response else "request"
        payloads = " ".join(payload.summary() for payload in self.payloads)
        return f"{exchange} {kind} {self.header.message_id} [ {payloads} ]"
