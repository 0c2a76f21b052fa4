# SPDX-License-Identifier: GPL-2.0-or-later
"""Structures of linux/xfrm.h, field by field, for ctypes to lay out as a C compiler does."""

from ctypes import Structure, c_int, c_uint8, c_uint16, c_uint32, c_uint64

Address = c_uint32 * 4
Be32 = c_uint8 * 4


class Selector(Structure):
    _fields_ = (
        ("daddr", Address), ("saddr", Address), ("dport", c_uint16), ("dport_mask", c_uint16),
        ("sport", c_uint16), ("sport_mask", c_uint16), ("family", c_uint16),
        ("prefixlen_d", c_uint8), ("prefixlen_s", c_uint8), ("proto", c_uint8),
        ("ifindex", c_int), ("user", c_uint32),
    )  # fmt: skip


class Id(Structure):
    _fields_ = (("daddr", Address), ("spi", Be32), ("proto", c_uint8), ("pad", c_uint8 * 3))


class LifetimeConfig(Structure):
    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            "soft_byte_limit", "hard_byte_limit", "soft_packet_limit", "hard_packet_limit",
            "soft_add_expires_seconds", "hard_add_expires_seconds",
            "soft_use_expires_seconds", "hard_use_expires_seconds",
        )
    )  # fmt: skip


class LifetimeCurrent(Structure):
    _fields_ = tuple((name, c_uint64) for name in ("bytes", "packets", "add_time", "use_time"))


class Stats(Structure):
    _fields_ = (("replay_window", c_uint32), ("replay", c_uint32), ("integrity_failed", c_uint32))


class UserSaInfo(Structure):
    _fields_ = (
        ("sel", Selector), ("id", Id), ("saddr", Address), ("lft", LifetimeConfig),
        ("curlft", LifetimeCurrent), ("stats", Stats), ("seq", c_uint32), ("reqid", c_uint32),
        ("family", c_uint16), ("mode", c_uint8), ("replay_window", c_uint8), ("flags", c_uint8),
    )  # fmt: skip


class UserSaId(Structure):
    _fields_ = (("daddr", Address), ("spi", Be32), ("family", c_uint16), ("proto", c_uint8))


class UserPolicyInfo(Structure):
    _fields_ = (
        ("sel", Selector), ("lft", LifetimeConfig), ("curlft", LifetimeCurrent),
        ("priority", c_uint32), ("index", c_uint32), ("dir", c_uint8), ("action", c_uint8),
        ("flags", c_uint8), ("share", c_uint8),
    )  # fmt: skip


class UserTemplate(Structure):
    _fields_ = (
        ("id", Id), ("family", c_uint16), ("saddr", Address), ("reqid", c_uint32),
        ("mode", c_uint8), ("share", c_uint8), ("optional", c_uint8), ("aalgos", c_uint32),
        ("ealgos", c_uint32), ("calgos", c_uint32),
    )  # fmt: skip


class UserSaFlush(Structure):
    _fields_ = (("proto", c_uint8),)


class UserAcquire(Structure):
    _fields_ = (
        ("id", Id), ("saddr", Address), ("sel", Selector), ("policy", UserPolicyInfo),
        ("aalgos", c_uint32), ("ealgos", c_uint32), ("calgos", c_uint32), ("seq", c_uint32),
    )  # fmt: skip


class UserExpire(Structure):
    _fields_ = (("state", UserSaInfo), ("hard", c_uint8))
