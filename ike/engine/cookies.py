# SPDX-License-Identifier: GPL-2.0-or-later
"""Cookies: IKE_SA_INIT costs us nothing before the peer has shown its address (RFC 7296, 2.6)."""

import hashlib
import hmac
from collections.abc import Callable

from ike.address import Endpoint
from ike.message.message import Message
from ike.message.numbers import NotifyType
from ike.message.payloads import Nonce

_LIFETIME = 60.0


class Cookies:
    """Makes and checks cookies under a secret that changes; the last but one is still good."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._secrets = [random(32), random(32)]
        self._since = 0.0

    def make(self, request: Message, remote: Endpoint, now: float) -> bytes:
        """The cookie that ``request`` has to return."""
        if now - self._since >= _LIFETIME:
            self._secrets = [self._random(32), self._secrets[0]]
            self._since = now
        return self._digest(self._secrets[0], request, remote)

    def are_good(self, request: Message, remote: Endpoint) -> bool:
        """``request`` returns a cookie that was made for it."""
        notify = request.notify(NotifyType.COOKIE)
        return notify is not None and any(
            hmac.compare_digest(notify.data, self._digest(secret, request, remote))
            for secret in self._secrets
        )

    @staticmethod
    def _digest(secret: bytes, request: Message, remote: Endpoint) -> bytes:
        covered = request.need(Nonce).octets + remote.packed() + request.header.spi_i
        return hashlib.blake2s(covered, key=secret).digest()
