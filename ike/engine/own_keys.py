# SPDX-License-Identifier: GPL-2.0-or-later
"""Does the TKM hold the private keys of our certificates? Asked before a peer finds out.

The TKM has no certificate of ours, and we have no key. So it is asked to sign for an IKE SA that
no peer knows, as each local identity, and the public key of the certificate has to verify what
comes. What was signed stays unknown here, for AUTH covers a secret (RFC 7296, 2.15); a signature by
PKCS #1 v1.5 can be recognized without it.
"""

import contextlib
import os
from collections.abc import Iterable

from ike.config import proposals
from ike.config.certificates import has_signed
from ike.config.model import Connection
from ike.engine import negotiation
from ike.errors import ConfigError
from ike.message import payloads
from ike.message.errors import TrustedRefusal
from ike.message.header import NO_SPI, Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType, HashAlgorithm, KeMethod, Protocol
from ike.tkm_client import AuthenticatedEndpoint, IkeKeys, KeyExchange, KeyInputs, Nonce, TkmClient

_OFFER = negotiation.offer(proposals.parse("aes256-sha512-modp3072", Protocol.IKE), Protocol.IKE)
_PUBLIC_VALUE = 384
"""Octets of a public value of MODP-3072; the peer's is a random one, whose secret nobody has."""


def check(tkm: TkmClient, connections: Iterable[Connection]) -> None:
    """Check that the TKM signs for each connection with the key of its certificate.

    While no TKM is connected there is nothing to check; the next one is asked when it comes.

    Raises:
        ConfigError: It has another key, or none.
    """
    signers = {(each.local_number, each.certificates[0]): each for each in connections}
    for (number, certificate), connection in signers.items():
        try:
            signature = _sign(tkm, number)
        except TrustedRefusal as error:
            if tkm.is_lost:
                return
            reason = f"the TKM does not sign as local identity {number}: {error}"
            raise ConfigError(f"{connection.name}: {reason}") from error
        if not has_signed(certificate, signature):
            raise ConfigError(
                f"{connection.name}: the certificate of {connection.local_id} is not that of the "
                f"TKM's private key for local identity {number}"
            )


def _sign(tkm: TkmClient, number: int) -> bytes:
    """A signature under AUTH octets, as a local identity, of an IKE SA that ends at once.

    Raises:
        TrustedRefusal: There is none.
    """
    with contextlib.ExitStack() as stack:
        nonce = Nonce(tkm)
        stack.callback(nonce.free)
        exchange = KeyExchange(tkm, KeMethod.MODP_3072)
        stack.callback(exchange.free)
        public = payloads.KeyExchange(exchange.method, exchange.public_value)
        exchange.complete(os.urandom(_PUBLIC_VALUE - 1).rjust(_PUBLIC_VALUE, b"\0"))
        endpoint = AuthenticatedEndpoint(tkm)
        stack.callback(endpoint.free)
        inputs = KeyInputs(
            nonce=nonce,
            peer_nonce=os.urandom(32),
            key_exchanges=[exchange],
            initiator=True,
            spi_local=os.urandom(8),
            spi_remote=os.urandom(8),
        )
        keys = IkeKeys.create(endpoint, inputs)
        stack.callback(keys.free)
        header = Header(inputs.spi_local, NO_SPI, ExchangeType.IKE_SA_INIT, True, False, 0)
        message = Message(header, (_OFFER, public, payloads.Nonce(nonce.octets)))
        _method, data = keys.sign(number, message.encode(), [HashAlgorithm.SHA2_256])
    return data[1 + data[0] :]
