# SPDX-License-Identifier: GPL-2.0-or-later
"""Cookies: IKE_SA_INIT costs us nothing before the peer has proven its address (RFC 7296, 2.6)."""

import hashlib
import hmac
from collections.abc import Callable
from typing import NamedTuple, Self

from ike.engine.context import Arrival
from ike.message.chain import glance
from ike.message.errors import PeerError, Unauthenticated
from ike.message.header import Header
from ike.message.numbers import NotifyType
from ike.message.payloads import Nonce, Notify
from ike.message.reader import Reader

_LIFETIME = 60.0


class Claim(NamedTuple):
    """The parts of an IKE_SA_INIT request that are read before it has returned a cookie.

    Attributes:
        covered: What the cookie is computed from: Ni | IPi | SPIi.
        cookie: The cookie that the request returns; empty if it returns none.
    """

    covered: bytes
    cookie: bytes

    @classmethod
    def of(cls, arrival: Arrival) -> Self:
        """Read them.

        Raises:
            Unauthenticated: There is no nonce, or the payloads break the format.
        """
        nonce = cookie = None
        try:
            for kind, body in glance(arrival.first, arrival.octets[Header.LENGTH :]):
                if kind == Nonce.type and nonce is None:
                    nonce = Nonce.decode(Reader(body, "Nonce payload"))
                elif kind == Notify.type and cookie is None:
                    notify = Notify.decode(Reader(body, "Notify payload"))
                    cookie = notify.data if notify.kind == NotifyType.COOKIE else None
        except PeerError as error:
            raise Unauthenticated(str(error)) from error
        if nonce is None:
            raise Unauthenticated("no Nonce payload")
        covered = nonce.octets + arrival.path.remote.packed() + arrival.header.spi_i
        return cls(covered, cookie or b"")


class Cookies:
    """Makes and checks cookies under a secret that changes; the one before it is still valid."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._secrets = [random(32), random(32)]
        self._since = 0.0

    def make(self, claim: Claim, now: float) -> bytes:
        """Return the cookie that a request has to return."""
        if now - self._since >= _LIFETIME:
            self._secrets = [self._random(32), self._secrets[0]]
            self._since = now
        return _digest(self._secrets[0], claim)

    def are_good(self, claim: Claim) -> bool:
        """Return whether a request returns a cookie that was made for it."""
        return any(
            hmac.compare_digest(claim.cookie, _digest(secret, claim)) for secret in self._secrets
        )


def _digest(secret: bytes, claim: Claim) -> bytes:
    return hashlib.blake2s(claim.covered, key=secret).digest()
