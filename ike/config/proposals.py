# SPDX-License-Identifier: GPL-2.0-or-later
"""Proposals of configurations as transforms of SA payloads (RFC 7296, 3.3.2)."""

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
from tkm import proposals
from tkm.algorithms import ENCRYPTIONS, number_of
from tkm.proposals import Proposal

Suite = tuple[Transform, ...]
"""Algorithms, of which any of each transform type may be chosen, the first one rather."""

_KEYS = {each.id: each.key for each in ENCRYPTIONS if not each.has_length}
"""Octets of a key, of ciphers that have one length only."""

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
    written = ",".join(_DEFAULT[protocol] if item == "default" else item for item in items)
    found = proposals.parse(written, esp=protocol == Protocol.ESP)
    return tuple(_suite(proposal, protocol) for proposal in found)


def _suite(proposal: Proposal, protocol: Protocol) -> Suite:
    """The transforms of a proposal; for ESP, one says whether ESN is used (RFC 7296, 3.3.2)."""
    suite = [
        Transform(TransformType.ENCR, each.id, 8 * each.key if each.has_length else None)
        for each in proposal.encryptions
    ]
    suite += [Transform(TransformType.INTEG, each.id) for each in proposal.integrities]
    suite += [Transform(TransformType.PRF, each.id) for each in proposal.prfs]
    suite += [Transform(TransformType.KE, each.id) for each in proposal.methods]
    suite += [
        Transform(TransformType.ADDKE1 + position - 1, each.id if each else KeMethod.NONE)
        for position, methods in sorted(proposal.additional.items())
        for each in methods
    ]
    if protocol == Protocol.ESP:
        suite += [Transform(TransformType.ESN, Esn(esn)) for esn in proposal.esn]
    return tuple(suite)


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
    return Transform(TransformType.ESN, Esn.ESN) in chosen


def groups(suite: Suite) -> list[int]:
    """The key exchange methods of a suite, the preferred one first."""
    return [transform.id for transform in suite if transform.kind == TransformType.KE]


def number(chosen: Suite) -> int:
    """The number by which the TKM knows chosen transforms: encryption, integrity, PRF."""
    by_kind = {transform.kind: transform for transform in chosen}
    encryption = by_kind[TransformType.ENCR]
    octets = encryption.key_length // 8 if encryption.key_length else _KEYS[encryption.id]
    kinds = TransformType.INTEG, TransformType.PRF
    integrity, prf = (by_kind[kind].id if kind in by_kind else 0 for kind in kinds)
    return number_of(encryption.id, octets, integrity, prf)


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
