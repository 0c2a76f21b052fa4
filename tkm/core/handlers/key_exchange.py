# SPDX-License-Identifier: GPL-2.0-or-later
"""nc and ke: nonces and key exchanges."""

import logging
import os

from tkm.core.kinds import KeyExchange, Nonce
from tkm.core.own import OwnValues
from tkm.crypto.key_exchange import PrivateValue, method_of
from tkm.errors import InvalidParameter
from tkm.rpc import rpc2
from tkm.rpc.record import Empty

log = logging.getLogger(__name__)


class KeyInputs:
    """The operations on nc and ke.

    :param own: takes note of what is given out.
    """

    def __init__(self, own: OwnValues) -> None:
        self._own = own

    def nc_create(self, request: rpc2.NcCreate, nc: Nonce) -> rpc2.NonceReply:
        """A fresh nonce."""
        log.info("Nonce of length %d requested, context %d", request.length, nc.number)
        nc.give(os.urandom(request.length), self._own)
        return rpc2.NonceReply(nonce=nc.octets)

    def ke_get(self, request: rpc2.KeGet, ke: KeyExchange) -> rpc2.PublicValueReply:
        """Our public value."""
        private = _private(ke, request.method)
        public_value = private.public_value()
        ke.private, ke.method = private, request.method
        ke.give(public_value, self._own)
        log.info("Public value of KE context %d created, method %d", ke.number, ke.method)
        return rpc2.PublicValueReply(public_value=public_value)

    def ke_set(self, request: rpc2.KeSet, ke: KeyExchange) -> Empty:
        """The peer's public value leads to the shared secret."""
        log.info("Generating shared secret for KE context %d", ke.number)
        private = _private(ke, request.method)
        self._own.refuse(request.public_value, "public value")
        ke.shared = private.shared_secret(request.public_value)
        ke.private, ke.method, ke.public_rem = private, request.method, request.public_value
        return Empty()


def _private(ke: KeyExchange, number: int) -> PrivateValue:
    if ke.private is None:
        return method_of(number).generate()
    if ke.method != number:
        raise InvalidParameter(f"{ke} was begun with method {ke.method}, not {number}")
    return ke.private
