# SPDX-License-Identifier: GPL-2.0-or-later
"""Key exchange methods, by number of IKEv2's transform type 4."""

from typing import Final, Protocol

from tkm.crypto.ecp import EcpCurve, Montgomery
from tkm.crypto.kem import MlKem
from tkm.crypto.modp import ModpGroup
from tkm.crypto.secret import Secret
from tkm.errors import InvalidParameter


class PrivateValue(Protocol):
    """Our side of one key exchange."""

    def public_value(self) -> bytes:
        """What the peer gets, as it stands in the KE payload."""

    def shared_secret(self, public_value: bytes) -> Secret:
        """What both sides have then.

        :raises PublicValueError: the peer's value is not acceptable.
        """


class Method(Protocol):
    """A key exchange method."""

    def generate(self) -> PrivateValue:
        """A fresh private value."""


METHODS: Final[dict[int, Method]] = {
    14: ModpGroup(2048, 124476),
    15: ModpGroup(3072, 1690314),
    16: ModpGroup(4096, 240904),
    17: ModpGroup(6144, 929484),
    18: ModpGroup(8192, 4743158),
    19: EcpCurve("secp256r1"),
    20: EcpCurve("secp384r1"),
    21: EcpCurve("secp521r1"),
    31: Montgomery("x25519"),
    32: Montgomery("x448"),
    36: MlKem("768"),
    37: MlKem("1024"),
}


def method_of(number: int) -> Method:
    """The key exchange method of this number.

    :raises InvalidParameter: there is none.
    """
    try:
        return METHODS[number]
    except KeyError:
        raise InvalidParameter(f"key exchange method {number} is unknown") from None
