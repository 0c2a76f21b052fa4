# SPDX-License-Identifier: GPL-2.0-or-later
"""The trusted side, as the IKE engine sees it: the one place that talks to the TKM.

Each context of the TKM that we hold is an object here. It has taken a number when it was made, and
gives it back when it is freed or when the TKM has used it up; what cannot be made has taken none.
Whoever holds such an object owns it, and frees it on every path.

The TKM's refusals come out as :class:`~ike.errors.TrustedRefusal`, which knows the Notify that
tells the peer. So does that it is gone: then all objects here are void, and everything is refused
until another TKM is found (``ike.daemon.reconnect``).
"""

from ike.tkm_client.client import TkmClient
from ike.tkm_client.key_inputs import KeyExchange, KeyInputs, Nonce
from ike.tkm_client.keys import AuthenticatedEndpoint, ChildKeys, EspOptions, IkeKeys

__all__ = [
    "AuthenticatedEndpoint",
    "ChildKeys",
    "EspOptions",
    "IkeKeys",
    "KeyExchange",
    "KeyInputs",
    "Nonce",
    "TkmClient",
]
