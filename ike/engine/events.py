# SPDX-License-Identifier: GPL-2.0-or-later
"""What the engine reports: to the log and to VICI clients."""

from ike.address import Endpoint
from ike.config.model import ChildConfig
from ike.identity import Identity
from ike.value import Value


class Event(Value):
    """Something has happened."""


class IkeSaEstablished(Event):
    """Both sides are authenticated."""

    id: int
    """Number of the IKE SA in this process."""
    connection: str
    """Name of the connection."""
    initiator: bool
    """We have initiated it."""
    local: Endpoint
    remote: Endpoint
    remote_id: Identity
    """The authenticated peer."""


class IkeSaRekeyed(Event):
    """Another IKE SA has taken the place of this one."""

    id: int
    """Number of the old one."""
    successor: int
    """Number of the new one."""


class IkeSaClosed(Event):
    """An IKE SA is over; unless another has taken its place, so are its Child SAs."""

    id: int
    connection: str
    """Name of the connection; empty if it was not known yet."""
    reason: str
    """Why, in words."""
    wanted: bool
    """One side has deleted it, in order; otherwise something failed."""


class ChildSaInstalled(Event):
    """A Child SA is in the kernel."""

    ike_sa: int
    """Number of its IKE SA."""
    name: str
    reqid: int
    spi_local: bytes
    """Our inbound SPI, 4 octets."""
    spi_remote: bytes
    """The peer's, 4 octets."""
    rekeyed: bytes
    """Our inbound SPI of the Child SA whose place it takes; empty if it is none."""


class ChildSaRemoved(Event):
    """A Child SA is out of the kernel."""

    ike_sa: int
    name: str
    reqid: int
    spi_local: bytes
    spi_remote: bytes
    reason: str
    """Why, in words."""


class ChildSaFailed(Event):
    """A Child SA did not come up."""

    ike_sa: int
    """Number of its IKE SA."""
    config: ChildConfig
    """The Child SA."""
    reason: str
    """Why, in words."""
