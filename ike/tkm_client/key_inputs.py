# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into a derivation of keys: nonces and key exchanges."""

from collections.abc import Sequence
from typing import Any

from ike.tkm_client.client import Context, TkmClient
from tkm.rpc import rpc2
from tkm.rpc.interface import Request


class Nonce(Context):
    """A nonce of ours, good for one derivation.

    Attributes:
        octets: The nonce.
    """

    kind = "nc"

    def __init__(self, tkm: TkmClient, length: int = 32) -> None:
        super().__init__(tkm)
        self.octets = self._made_by(rpc2.NcCreate(nc=self.id, length=length)).nonce

    def _reset(self) -> Request[Any]:
        return rpc2.NcReset(nc=self.id)


class KeyExchange(Context):
    """Our half of a key exchange, good for one derivation.

    Attributes:
        method: Its number in transform type 4.
    """

    kind = "ke"

    def __init__(self, tkm: TkmClient, method: int) -> None:
        super().__init__(tkm)
        self.method = method
        self._public_value = b""

    @property
    def public_value(self) -> bytes:
        """What the peer needs.

        Of a KEM, the responder's is made of the peer's: it comes after :meth:`complete`.

        Raises:
            TrustedRefusal: The TKM does not know the method.
        """
        if not self._public_value:
            reply = self.tkm.call(rpc2.KeGet(ke=self.id, method=self.method))
            self._public_value = reply.public_value
        return self._public_value

    def complete(self, public_value: bytes) -> None:
        """Take the peer's half.

        Raises:
            TrustedRefusal: Its public value is not acceptable; another may be tried.
        """
        self.tkm.call(rpc2.KeSet(ke=self.id, method=self.method, public_value=public_value))

    def _reset(self) -> Request[Any]:
        return rpc2.KeReset(ke=self.id)


class KeyInputs:
    """What a derivation takes from both sides.

    Attributes:
        nonce: Ours, used up by it.
        peer_nonce: The peer's.
        key_exchanges: Completed ones in their order, used up by it; none: no key exchange.
        initiator: We have sent the exchange's request.
        spi_local: Our inbound SPI of the new SA.
        spi_remote: The peer's.
    """

    def __init__(
        self,
        *,
        nonce: Nonce,
        peer_nonce: bytes,
        key_exchanges: Sequence[KeyExchange],
        initiator: bool,
        spi_local: bytes,
        spi_remote: bytes,
    ) -> None:
        self.nonce = nonce
        self.peer_nonce = peer_nonce
        self.key_exchanges = key_exchanges
        self.initiator = initiator
        self.spi_local = spi_local
        self.spi_remote = spi_remote

    def fields(self) -> dict[str, Any]:
        """The fields that all requests with shares have in common."""
        return {
            "nc_loc": self.nonce.id,
            "nonce_rem": self.peer_nonce,
            "initiator": self.initiator,
            "spi_loc": self.spi_local,
            "spi_rem": self.spi_remote,
        }

    @property
    def lowest_nonce(self) -> bytes:
        """Of the two nonces; settles which of two simultaneous rekeyings stays (2.8.1)."""
        return min(self.nonce.octets, self.peer_nonce)

    @property
    def ke_ids(self) -> tuple[int, ...]:
        """The numbers of the key exchanges."""
        return tuple(exchange.id for exchange in self.key_exchanges)

    def used_up(self) -> None:
        """The derivation has happened."""
        self.nonce.used_up()
        for exchange in self.key_exchanges:
            exchange.used_up()
