# SPDX-License-Identifier: GPL-2.0-or-later
"""The client of the TKM; nothing else in ``ike`` calls it.

Each context of the TKM that we hold is an object here. It takes a number when it is created, and
returns it when it is freed or when the TKM has used it up; an object that cannot be created has
taken none. The holder of such an object owns it, and frees it on every path.

Refusals of the TKM are raised as :class:`~ike.message.errors.TrustedRefusal`, which has the Notify
for the peer. So is the loss of the TKM: then all objects here are void, and everything is refused
until another TKM is found (:mod:`ike.daemon.reconnect`).
"""

from ike.tkm_client.client import TkmClient
from ike.tkm_client.key_inputs import KeyExchange, KeyInputs, Nonce
from ike.tkm_client.keys import (
    AuthenticatedEndpoint,
    CertificateChain,
    ChildKeys,
    EspOptions,
    IkeKeys,
)

__all__ = [
    "AuthenticatedEndpoint",
    "CertificateChain",
    "ChildKeys",
    "EspOptions",
    "IkeKeys",
    "KeyExchange",
    "KeyInputs",
    "Nonce",
    "TkmClient",
]
