# SPDX-License-Identifier: GPL-2.0-or-later
"""The ESA event service: what the kernel's IPsec stack has to say to the IKE daemon.

The daemon serves, xfrm_proxy calls; the same in both generations. All in host byte order.
"""

from typing import Annotated

from tkm.rpc.fields import Fixed, Flag, Unsigned
from tkm.rpc.interface import FixedFrames, Interface, Request
from tkm.rpc.record import Empty
from tkm.rpc.result import Result

EES = Interface("EES", FixedFrames)

SpId = Annotated[int, Unsigned(4, "little", low=1, fault=Result.INVALID_ID)]
"""The reqid of the policy or state that the event is about."""


class EsaAcquire(Request[Empty], interface=EES, code=0x0100):
    """Traffic matched a policy that has no state."""

    sp_id: SpId


class EsaExpire(Request[Empty], interface=EES, code=0x0101):
    """A state has reached its soft or its hard lifetime.

    :ivar spi_rem: the SPI of the state that expired, as it stands in packets.
    :ivar protocol: 50 for ESP, 51 for AH.
    :ivar hard: the state is gone.
    """

    sp_id: SpId
    spi_rem: Annotated[bytes, Fixed(4)]
    protocol: Annotated[int, Unsigned(4, "little")]
    hard: Annotated[bool, Flag()]
