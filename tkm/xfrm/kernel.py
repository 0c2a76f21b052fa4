# SPDX-License-Identifier: GPL-2.0-or-later
"""The SPD and SAD of the kernel."""

import errno
import logging
import struct
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from ipaddress import ip_network
from socket import socket
from typing import Any, Final, NamedTuple

from tkm.config.policy import Lifetime, Mode, Network, Policy
from tkm.config.traffic import PRIORITY, Selectors, priorities
from tkm.crypto.secret import Secret
from tkm.errors import KernelError
from tkm.rpc.listener import claim
from tkm.xfrm import abi
from tkm.xfrm.abi import Type
from tkm.xfrm.model import StateKeys, StatePair
from tkm.xfrm.socket import NetlinkSocket, Refusal, encode, make
from tkm.xfrm.states import AF, ESP, MODES, ends_of, lifetime_fields, with_keys

log = logging.getLogger(__name__)

_ICMPV6: Final = 58
_NEIGHBOUR_DISCOVERY: Final = (135, 136)
"""Types of ICMPv6: solicitation and advertisement (RFC 4861, 4.3 and 4.4)."""
_ENDLESS: Final = Lifetime(0, 0)
"""Of policies: they stay until they are flushed."""
_ALL_ALGORITHMS: Final = 0xFFFFFFFF


class XfrmKernel:
    """This network namespace's SPD and SAD; see :class:`tkm.xfrm.model.Kernel`."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket()
        self._claimed: socket | None = None

    def claim(self, users: Container[int]) -> None:
        """Be the only Key Manager of this network namespace, until this process ends.

        Raises:
            KernelError: a process of one of these users is.
        """
        try:
            self._claimed = claim("tkm_keymanager", users)
        except OSError as error:
            raise KernelError("another Key Manager serves this kernel") from error

    def protect(self, policies: Iterable[Policy]) -> None:
        """Install policies, or update them in place; the others stay as they are.

        Where they overlap, the kernel asks the more specific one first.
        From the first to the last of them, traffic that no policy covers is blocked (kernels
        before 5.15 cannot do that). If one cannot be installed, it stays blocked.

        Raises:
            KernelError: the kernel refuses, or two policies cover the same traffic.
        """
        self._set_default(abi.BLOCK)
        self._install(policies)
        self._set_default(abi.ACCEPT)

    def _install(self, policies: Iterable[Policy]) -> None:
        installed: dict[Selectors, Policy] = {}
        policies = list(policies)
        order = priorities({policy.id: policy.selectors for policy in policies})
        for policy in policies:
            if (other := installed.setdefault(policy.selectors, policy)) is not policy:
                raise KernelError(f"policies {other.id} and {policy.id} cover the same traffic")
            self.add_policy(policy, order[policy.id])

    def take_over(self, policies: Iterable[Policy]) -> None:
        """Remove all policies but these, which are installed, then all states.

        Raises:
            KernelError: the kernel refuses.
        """
        self._remove_others(policies)
        self.flush_states()

    def replace(self, policies: Iterable[Policy]) -> None:
        """Install policies, or update them in place; then remove all others. States stay.

        Raises:
            KernelError: the kernel refuses, or two policies cover the same traffic.
        """
        policies = list(policies)
        self._install(policies)
        self._remove_others(policies)

    def _remove_others(self, policies: Iterable[Policy]) -> None:
        wanted = {place for policy in policies for place in _places(policy)}
        request = encode(Type.GETPOLICY, make(abi.PolicyIdMessage))
        for found in [_read_policy(message) for message in self._netlink.dump(request)]:
            # Exemptions of sockets, which are listed in further directions, are not ours.
            if found.place.direction in _ALL_DIRECTIONS and found.place not in wanted:
                self._remove_policy(found)

    def _remove_policy(self, found: "_Installed") -> None:
        log.info("Removing policy with index %d, which is not of this configuration", found.number)
        message = make(abi.PolicyIdMessage, index=found.number, dir=found.place.direction)
        with suppress(_Missing):
            self._request(Type.DELPOLICY, message, f"remove the policy with index {found.number}")

    def flush_states(self) -> None:
        """Remove all states: what their policies cover is held back from then on.

        Raises:
            KernelError: the kernel refuses.
        """
        log.info("Flushing SAD")
        with suppress(_Missing):
            self._request(Type.FLUSHSA, make(abi.FlushStatesMessage), "flush the SAD")

    def flush(self) -> None:
        """Remove all policies, then all states: traffic is plain from then on.

        Raises:
            KernelError: the kernel refuses.
        """
        log.info("Flushing SPD")
        self._request(Type.FLUSHPOLICY, make(abi.FlushPoliciesMessage), "flush the SPD")
        self._set_default(abi.ACCEPT)
        self.flush_states()

    def _set_default(self, action: int) -> None:
        message = make(abi.DefaultPolicyMessage, **dict.fromkeys(("in", "fwd", "out"), action))
        try:
            self._netlink.request(encode(Type.SETDEFAULT, message))
        except Refusal as refusal:
            log.warning("Traffic may pass while there are no policies: %s", refusal)

    def add_policy(self, policy: Policy, priority: int = PRIORITY) -> None:
        """Install ``out`` and ``in``, and in tunnel mode ``fwd``, or update them in place.

        Where the ends' own traffic is meant, and IPv6, their neighbour discovery stays free: IKE
        cannot bring up the SA that it would have to wait for.
        """
        log.info("Adding policy [ %d, %s ]", policy.id, policy)
        for message in _policies(policy, priority):
            self._request(Type.UPDPOLICY, message, f"add policy {policy.id}")

    def add_inbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Install the state that receives."""
        policy = pair.policy
        log.info(
            "Adding ESA [ %d, %s, %s, soft %d, hard %d ]",
            *(policy.id, policy, pair.spis, policy.lifetime.soft, policy.lifetime.hard),
        )
        self._add(pair, keys, is_outbound=False)

    def add_outbound(self, pair: StatePair, keys: StateKeys) -> None:
        """Install the state that sends: the kernel prefers the youngest one of a policy."""
        self._add(pair, keys, is_outbound=True)

    def delete_states(self, pair: StatePair, *, sends: bool) -> None:
        """Remove the state that receives, and if it has one, the one that sends.

        One that has expired is not missed.
        """
        local, remote = pair.policy.local.ip, pair.policy.remote.ip
        log.info("Deleting ESA [ %d, %s <=> %s, %s ]", pair.policy.id, local, remote, pair.spis)
        for is_outbound in (False, True) if sends else (False,):
            self._delete(pair, is_outbound=is_outbound)

    def _add(self, pair: StatePair, keys: StateKeys, *, is_outbound: bool) -> None:
        octets = with_keys(pair, keys, is_outbound=is_outbound)
        with Secret(octets):
            self._send(octets, f"add a state of policy {pair.policy.id}")

    def _delete(self, pair: StatePair, *, is_outbound: bool) -> None:
        _, destination, spi = ends_of(pair, is_outbound=is_outbound)
        message = make(
            abi.StateIdMessage,
            daddr=destination.packed,
            spi=spi,
            family=AF[destination.version],
            proto=ESP,
        )
        with suppress(_Missing):
            self._request(Type.DELSA, message, f"delete a state of policy {pair.policy.id}")

    def _request(self, kind: Type, message: abi.Message, what: str) -> None:
        self._send(encode(kind, message), what)

    def _send(self, octets: bytearray, what: str) -> None:
        try:
            self._netlink.request(octets)
        except Refusal as refusal:
            is_missing = refusal.errno in (errno.ESRCH, errno.ENOENT)
            error = _Missing if is_missing else KernelError
            raise error(f"the kernel does not {what}: {refusal}") from refusal


class _Missing(KernelError):
    """There is no such state or policy."""


_ALL_DIRECTIONS: Final = (abi.IN, abi.OUT, abi.FWD)
_SELECTOR_IN_MESSAGE: Final = slice(16, 72)
"""Octets of struct xfrm_selector behind struct nlmsghdr."""
_INDEX_AND_DIRECTION: Final = struct.Struct("=172xIB")
"""Of struct xfrm_userpolicy_info, behind struct nlmsghdr, selector, lifetimes and priority."""


class _Place(NamedTuple):
    """What a policy replaces in the SPD: one with the same selector and direction."""

    selector: bytes
    direction: int


class _Installed(NamedTuple):
    """A policy of the SPD."""

    place: _Place
    number: int


def _read_policy(message: bytes | bytearray) -> _Installed:
    index, direction = _INDEX_AND_DIRECTION.unpack_from(message)
    return _Installed(_Place(bytes(message[_SELECTOR_IN_MESSAGE]), direction), index)


def _places(policy: Policy) -> list[_Place]:
    encoded = (encode(Type.UPDPOLICY, message) for message in _policies(policy))
    return [_read_policy(octets).place for octets in encoded]


def _directions(mode: Mode) -> tuple[int, ...]:
    both = (abi.OUT, abi.IN)
    return both if mode is Mode.TRANSPORT else (*both, abi.FWD)


def _policies(policy: Policy, priority: int = PRIORITY) -> Iterator[abi.PolicyMessage]:
    for direction in _directions(policy.mode):
        yield _policy(policy, direction, priority)
    covers_its_ends = (
        policy.local.ip in policy.local_selector and policy.remote.ip in policy.remote_selector
    )
    if covers_its_ends and policy.local.ip.version == 6:
        for direction in (abi.OUT, abi.IN):
            for kind in _NEIGHBOUR_DISCOVERY:
                yield _exemption(policy, direction, kind)


def _exemption(policy: Policy, direction: int, kind: int) -> abi.PolicyMessage:
    """One type of ICMPv6 passes as it is between the ends, before the policy is asked."""
    ends = [ip_network(end.ip) for end in (policy.local, policy.remote)]
    source, destination = ends if direction == abi.OUT else reversed(ends)
    return make(
        abi.PolicyMessage,
        **_selector(source, destination),
        sel_proto=_ICMPV6,
        sel_sport=kind,  # XFRM has the type there, and the code in the other one
        sel_sport_mask=0xFFFF,
        **lifetime_fields(_ENDLESS),
        priority=PRIORITY - 1,
        dir=direction,
    )


def _policy(policy: Policy, direction: int, priority: int) -> abi.PolicyMessage:
    local, remote = policy.local.ip, policy.remote.ip
    selectors = policy.local_selector, policy.remote_selector
    if direction != abi.OUT:
        local, remote = remote, local
        selectors = selectors[1], selectors[0]
    template = {
        "id_daddr": remote.packed,
        "id_spi": b"",
        "id_proto": ESP,
        "id_pad": b"",
        "family": AF[remote.version],
        "pad1": b"",
        "saddr": local.packed,
        "reqid": policy.id,
        "mode": MODES[policy.mode],
        "share": 0,
        "optional": 0,
        "pad2": b"",
        "aalgos": _ALL_ALGORITHMS,
        "ealgos": _ALL_ALGORITHMS,
        "calgos": _ALL_ALGORITHMS,
    }
    return make(
        abi.PolicyMessage,
        **_selector(*selectors),
        **lifetime_fields(_ENDLESS),
        priority=priority,
        dir=direction,
        attrs=[("XFRMA_TMPL", template)],
    )


def _selector(source: Network, destination: Network) -> dict[str, Any]:
    return {
        "sel_saddr": source.network_address.packed,
        "sel_daddr": destination.network_address.packed,
        "sel_prefixlen_s": source.prefixlen,
        "sel_prefixlen_d": destination.prefixlen,
        "sel_family": AF[source.version],
    }
