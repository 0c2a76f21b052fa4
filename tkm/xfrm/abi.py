# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of NETLINK_XFRM, from the kernel's ``linux/xfrm.h``.

pyroute2 has no XFRM family; these are ``nlmsg`` classes in its style. Nested structures are written
out flat, with a prefix. Addresses take 16 octets (IPv4 in the first four), in network order, like
SPIs; everything else is in host order.

pyroute2's package root imports the whole library: 15 MB and 0.3 s (2 s in a User-Mode Linux guest)
for a few classes of ``pyroute2.netlink``. While those are imported, an empty package stands in for
a root that nobody has imported yet.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from importlib.util import find_spec
from types import ModuleType
from typing import Final


@contextmanager
def _bare_root(name: str) -> Iterator[None]:
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.submodule_search_locations is None:
        yield
        return
    root = ModuleType(name)
    root.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = root
    try:
        yield
    finally:
        del sys.modules[name]


with _bare_root("pyroute2"):
    from pyroute2.netlink import nla, nlmsg


class Type(IntEnum):
    """Message types."""

    NEWSA = 0x10
    DELSA = 0x11
    DELPOLICY = 0x14
    GETPOLICY = 0x15
    ACQUIRE = 0x17
    EXPIRE = 0x18
    UPDPOLICY = 0x19
    FLUSHSA = 0x1C
    FLUSHPOLICY = 0x1D
    SETDEFAULT = 0x27


IN, OUT, FWD = 0, 1, 2
"""Directions of a policy."""
BLOCK, ACCEPT = 1, 2
"""What happens to traffic that no policy speaks of."""
MODE_TRANSPORT, MODE_TUNNEL = 0, 1
STATE_AF_UNSPEC = 32
"""Flag of a state whose selector, which says nothing, is of no address family either."""
STATE_ESN = 128
"""Flag of a state with extended sequence numbers."""
ESP_IN_UDP = 2
"""Encapsulation type UDP_ENCAP_ESPINUDP."""
INFINITE: Final = 0xFFFFFFFFFFFFFFFF
"""No limit, in octets or packets."""


def fields(layout: str, *names: str) -> tuple[tuple[str, str], ...]:
    """Fields of one layout, one behind the other, as C declares them."""
    return tuple((name, layout) for name in names)


_ID: Final = (("id_daddr", "16s"), ("id_spi", "4s"), ("id_proto", "B"), ("id_pad", "3s"))
_SELECTOR: Final = (
    *fields("16s", "sel_daddr", "sel_saddr"),
    *fields(">H", "sel_dport", "sel_dport_mask", "sel_sport", "sel_sport_mask"),
    ("sel_family", "H"),
    *fields("B", "sel_prefixlen_d", "sel_prefixlen_s", "sel_proto"),
    *(("sel_pad", "3s"), ("sel_ifindex", "i"), ("sel_user", "I")),
)
_LIFETIME: Final = (
    *fields("Q", "lft_soft_byte_limit", "lft_hard_byte_limit"),
    *fields("Q", "lft_soft_packet_limit", "lft_hard_packet_limit"),
    *fields("Q", "lft_soft_add_expires_seconds", "lft_hard_add_expires_seconds"),
    *fields("Q", "lft_soft_use_expires_seconds", "lft_hard_use_expires_seconds"),
    *fields("Q", "cur_bytes", "cur_packets", "cur_add_time", "cur_use_time"),
)
STATE: Final = (
    *_SELECTOR,
    *_ID,
    ("saddr", "16s"),
    *_LIFETIME,
    *fields("I", "stats_replay_window", "stats_replay", "stats_integrity_failed"),
    *fields("I", "seq", "reqid"),
    ("family", "H"),
    *fields("B", "mode", "replay_window", "flags"),
    ("pad", "7s"),
)
_POLICY: Final = (
    *_SELECTOR,
    *_LIFETIME,
    *fields("I", "priority", "index"),
    *fields("B", "dir", "action", "flags", "share"),
    ("pad", "4s"),
)
ACQUIRE: Final = (
    *_ID,
    ("saddr", "16s"),
    *_SELECTOR,
    *((f"policy_{name}", layout) for name, layout in _POLICY),
    *fields("I", "aalgos", "ealgos", "calgos", "seq"),
)
"""struct xfrm_usersa_info, struct xfrm_userpolicy_info and struct xfrm_user_acquire."""


class Template(nla):
    """struct xfrm_user_tmpl"""

    fields = (
        *_ID,
        *(("family", "H"), ("pad1", "2s"), ("saddr", "16s"), ("reqid", "I")),
        *fields("B", "mode", "share", "optional"),
        ("pad2", "1s"),
        *fields("I", "aalgos", "ealgos", "calgos"),
    )


class Algorithm(nla):
    """struct xfrm_algo: an encryption key, its length in bits."""

    fields = (("name", "64s"), ("key_len", "I"), ("key", "32s"))


class TruncatedAlgorithm(nla):
    """struct xfrm_algo_auth: an integrity key, its length and the ICV's in bits."""

    fields = (("name", "64s"), ("key_len", "I"), ("trunc_len", "I"), ("key", "64s"))


class AeadAlgorithm(nla):
    """struct xfrm_algo_aead: the key's length, with the salt, and the ICV's in bits."""

    fields = (("name", "64s"), ("key_len", "I"), ("icv_len", "I"), ("key", "36s"))


class Encapsulation(nla):
    """struct xfrm_encap_tmpl: ESP in UDP."""

    fields = (
        ("encap_type", "H"),
        *fields(">H", "encap_sport", "encap_dport"),
        *(("pad", "2s"), ("encap_oa", "16s")),
    )


class ReplayState(nla):
    """struct xfrm_replay_state_esn, with room for a window of 64 packets."""

    fields = (
        *fields("I", "bmp_len", "oseq", "seq", "oseq_hi", "seq_hi", "replay_window"),
        ("bmp", "8s"),
    )


class _Attributes:
    """enum xfrm_attr_type_t, as far as we read or write it."""

    prefix = "XFRMA_"
    nla_map = (
        (2, "XFRMA_ALG_CRYPT", "algorithm"),
        (4, "XFRMA_ENCAP", "encapsulation"),
        (5, "XFRMA_TMPL", "template"),
        (18, "XFRMA_ALG_AEAD", "aead_algorithm"),
        (20, "XFRMA_ALG_AUTH_TRUNC", "truncated_algorithm"),
        (23, "XFRMA_REPLAY_ESN_VAL", "replay_state"),
    )
    algorithm = Algorithm
    aead_algorithm = AeadAlgorithm
    truncated_algorithm = TruncatedAlgorithm
    template = Template
    encapsulation = Encapsulation
    replay_state = ReplayState


class Message(_Attributes, nlmsg):
    """A message of NETLINK_XFRM: a mapping of its fields, ``header`` and ``attrs``."""

    fields: tuple[tuple[str, str], ...] = ()


class StateMessage(Message):
    """struct xfrm_usersa_info: NEWSA."""

    fields = STATE


class StateIdMessage(Message):
    """struct xfrm_usersa_id: DELSA."""

    fields = (("daddr", "16s"), ("spi", "4s"), ("family", "H"), ("proto", "B"), ("pad", "1s"))


class PolicyMessage(Message):
    """struct xfrm_userpolicy_info: UPDPOLICY."""

    fields = _POLICY


class PolicyIdMessage(Message):
    """struct xfrm_userpolicy_id: DELPOLICY by index and direction; GETPOLICY."""

    fields = (*_SELECTOR, ("index", "I"), ("dir", "B"), ("pad", "3s"))


class FlushStatesMessage(Message):
    """struct xfrm_usersa_flush: FLUSHSA; protocol 0 is any."""

    fields = (("proto", "B"),)


class FlushPoliciesMessage(Message):
    """FLUSHPOLICY has no body."""


class DefaultPolicyMessage(Message):
    """struct xfrm_userpolicy_default: SETDEFAULT, by direction."""

    fields = fields("B", "in", "fwd", "out")
