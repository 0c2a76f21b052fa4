# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into a derivation of keys, checked and used up: no two SAs share a key.

Every derivation begins in :class:`Derivations`. What it takes is spent from that moment on,
whatever becomes of the request: a kernel that refuses a state has seen its keys all the same.
"""

from collections.abc import Sequence

from tkm.core.kinds import Endpoint, KeyExchange, Nonce
from tkm.core.own import OwnValues
from tkm.crypto.derivation import Roles
from tkm.errors import InvalidParameter
from tkm.rpc import rpc2

WithNonce = rpc2.IsaCreate | rpc2.IsaCreateChild | rpc2.EsaCreate | rpc2.EsaCreateNoPfs
"""Requests that consume a nonce."""


class Derivations:
    """The one way from nonces and key exchanges to keys.

    :param own: the nonces and public values that this TKM has given out.
    """

    def __init__(self, own: OwnValues) -> None:
        self._own = own

    def begin(
        self,
        request: WithNonce,
        nc_loc: Nonce,
        exchanges: Sequence[KeyExchange],
        spis: tuple[bytes, bytes] = (b"", b""),
    ) -> Roles:
        """Use up a nonce and key exchanges; everything else must have been checked before.

        :param spis: ours and the peer's, where they go into the keys.
        :raises InvalidParameter: the peer's nonce is our own; nothing is used up.
        """
        loc, rem = spis
        nonce = nc_loc.octets
        roles = Roles.of(request.initiator, (nonce, loc), (request.nonce_rem, rem))
        self._own.check_nonces(nonce, request.nonce_rem, roles.nonces)
        for context in (nc_loc, *exchanges):
            context.spend()
        return roles

    @staticmethod
    def begin_update(exchange: KeyExchange) -> None:
        """Use up a further key exchange of IKE_INTERMEDIATE."""
        exchange.spend()

    @staticmethod
    def begin_first(ae: Endpoint) -> None:
        """Use up what IKE_SA_INIT has left for the first Child SA (RFC 7296, 2.17)."""
        ae.spend()


def check_spis(loc: bytes, rem: bytes, lowest: int = 1) -> None:
    """Check the SPIs of a new SA.

    The same one in both directions is what a reflected message has: a peer that has drawn it by
    chance (one in 2^32 for ESP) draws another one at its next try.

    :param lowest: the lowest that is not reserved.
    :raises InvalidParameter: one is reserved, or both are the same.
    """
    for spi in (loc, rem):
        if int.from_bytes(spi, "big") < lowest:
            raise InvalidParameter(f"SPI {spi.hex()} is reserved")
    if loc == rem:
        raise InvalidParameter(f"SPI {loc.hex()} is the same in both directions")
