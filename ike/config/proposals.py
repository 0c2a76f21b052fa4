# SPDX-License-Identifier: GPL-2.0-or-later
"""Proposals as configurations write them: ``aes256-sha512-modp3072-ke1_modp4096``."""

from ike.message.numbers import (
    Encryption,
    Esn,
    Integrity,
    KeMethod,
    Prf,
    Protocol,
    TransformType,
)
from ike.message.substructures import Transform
from tkm.algorithms import ENCRYPTIONS, INTEGRITIES, METHODS, PRFS, number_of

Suite = tuple[Transform, ...]
"""Algorithms, of which any of each transform type may be chosen, the first one rather."""

_ENCRYPTION = {
    each.keyword: Transform(TransformType.ENCR, each.id, 8 * each.key if each.has_length else None)
    for each in ENCRYPTIONS
}
_AEAD = {each.keyword for each in ENCRYPTIONS if each.icv}
"""Ciphers that take no integrity algorithm."""
_INTEGRITY = {each.keyword: Transform(TransformType.INTEG, each.id) for each in INTEGRITIES}
_PRF = {each.keyword: Transform(TransformType.PRF, each.id) for each in PRFS}
_PRF_OF = {each.keyword: Transform(TransformType.PRF, each.prf) for each in INTEGRITIES}
"""An integrity algorithm brings its PRF along, unless one is named."""
_GROUPS = {
    each.keyword: Transform(TransformType.KE, each.id) for each in METHODS if not each.is_kem
}
_ADDITIONAL = {
    f"ke{number}_{name}": Transform(TransformType.ADDKE1 + number - 1, method)
    for number in range(1, 8)
    for name, method in (
        ("none", KeMethod.NONE),
        *((each.keyword, each.id) for each in METHODS),
    )
}
"""Further key exchanges, which follow the first one in the order of their numbers (RFC 9370)."""
_ESN = {
    "esn": Transform(TransformType.ESN, Esn.ESN),
    "noesn": Transform(TransformType.ESN, Esn.NONE),
}
"""Extended sequence numbers (RFC 4303, 2.2.1): the first word is preferred. A suite
without either goes without, as in strongSwan."""
_TABLES = {
    Protocol.IKE: (_ENCRYPTION, _INTEGRITY, _PRF, _GROUPS, _ADDITIONAL),
    Protocol.ESP: (_ENCRYPTION, _INTEGRITY, _GROUPS, _ADDITIONAL, _ESN),
}


_ALIASES = {
    "aes": "aes128",
    "curve25519": "x25519",
    "curve448": "x448",
    **{f"sha2_{bits}": f"sha{bits}" for bits in (256, 384, 512)},
    **{f"aes{bits}gcm128": f"aes{bits}gcm16" for bits in (128, 256)},
    **{f"aes{bits}ccm64": f"aes{bits}ccm8" for bits in (128, 256)},
}
"""Other spellings of strongSwan's."""

_DEFAULT = {
    Protocol.IKE: "aes256-sha512-modp4096-modp3072",
    Protocol.ESP: "aes256-sha512-esn-noesn",
}
"""What ``default`` stands for."""


def parse(text: str, protocol: Protocol) -> tuple[Suite, ...]:
    """The suites of a list that is separated by commas.

    Raises:
        ValueError: A word is unknown, or an algorithm is missing.
    """
    items = (item.strip().lower() for item in text.split(","))
    return tuple(
        _suite(_DEFAULT[protocol] if item == "default" else item, protocol) for item in items
    )


def _suite(text: str, protocol: Protocol) -> Suite:
    tables = _TABLES[protocol]
    words = [_ALIASES.get(word, word) for word in text.split("-")]
    for word in words:
        if not any(word in table for table in tables):
            raise ValueError(f"proposal {text}: {word!r} is not supported")
    if len(words) > len(set(words)):
        raise ValueError(f"proposal {text}: an algorithm is there twice")
    if protocol == Protocol.ESP and not _ESN.keys() & set(words):
        words.append("noesn")
    suite = [table[word] for table in tables for word in words if word in table]
    if protocol == Protocol.IKE and not _PRF.keys() & set(words):
        at = sum(transform.kind < TransformType.KE for transform in suite)
        suite[at:at] = [_PRF_OF[word] for word in words if word in _PRF_OF]
    _check_types(text, protocol, suite, _AEAD & set(words))
    return tuple(suite)


def _check_types(text: str, protocol: Protocol, suite: list[Transform], aead: set[str]) -> None:
    """Check that a suite has what it needs of each transform type.

    Raises:
        ValueError: An algorithm is missing, or goes with no other one there.
    """
    kinds = {transform.kind for transform in suite}
    needed = {TransformType.ENCR}
    if not aead:
        needed.add(TransformType.INTEG)
    elif TransformType.INTEG in kinds or aead != _ciphers(suite):
        raise ValueError(
            f"proposal {text}: {min(aead)} takes no integrity algorithm (RFC 5282, 8): "
            "ciphers that need one make a proposal of their own"
        )
    if protocol == Protocol.IKE:
        needed |= {TransformType.PRF, TransformType.KE}
    elif has_additional(tuple(suite)):
        needed.add(TransformType.KE)
    if missing := needed - kinds:
        raise ValueError(f"proposal {text}: no algorithm of type {min(missing).name}")


def _ciphers(suite: list[Transform]) -> set[str]:
    return {keyword for keyword, transform in _ENCRYPTION.items() if transform in suite}


def without_key_exchange(suite: Suite) -> Suite:
    """What IKE_AUTH offers of a Child SA's suite: it has no key exchange of its own (1.2)."""
    return tuple(
        transform
        for transform in suite
        if transform.kind != TransformType.KE and not is_additional(transform)
    )


def is_additional(transform: Transform) -> bool:
    """It is a key exchange that follows the first one (RFC 9370)."""
    return TransformType.ADDKE1 <= transform.kind <= TransformType.ADDKE7


def has_additional(suite: Suite) -> bool:
    """Return whether there may be key exchanges after the first one."""
    return any(map(is_additional, suite))


def has_esn(chosen: Suite) -> bool:
    """Chosen transforms are with extended sequence numbers."""
    return _ESN["esn"] in chosen


def groups(suite: Suite) -> list[int]:
    """The key exchange methods of a suite, the preferred one first."""
    return [transform.id for transform in suite if transform.kind == TransformType.KE]


def number(chosen: Suite) -> int:
    """The number by which the TKM knows chosen transforms: encryption, integrity, PRF."""
    by_kind = {transform.kind: transform for transform in chosen}
    encryption = by_kind[TransformType.ENCR]
    bits = encryption.key_length or 256
    kinds = TransformType.INTEG, TransformType.PRF
    integrity, prf = (by_kind[kind].id if kind in by_kind else 0 for kind in kinds)
    return number_of(encryption.id, bits // 8, integrity, prf)


def spell(transforms: Suite) -> str:
    """Chosen transforms as charon's log names them: ``AES_CBC_256/HMAC_SHA2_512_256/MODP_4096``."""
    enums = {
        TransformType.ENCR: Encryption,
        TransformType.PRF: Prf,
        TransformType.INTEG: Integrity,
        TransformType.KE: KeMethod,
    }
    words = []
    for transform in transforms:
        if is_additional(transform):
            number = transform.kind - TransformType.ADDKE1 + 1
            words.append(f"KE{number}_{KeMethod(transform.id).name}")
        elif enum := enums.get(TransformType(transform.kind)):
            length = f"_{transform.key_length}" if transform.key_length else ""
            prefix = "PRF_" if enum is Prf else ""
            words.append(f"{prefix}{enum(transform.id).name}{length}")
    return "/".join(words)
