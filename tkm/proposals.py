# SPDX-License-Identifier: GPL-2.0-or-later
"""Proposals as configurations write them, in strongSwan's words, which both sides read.

``aes256gcm16-prfsha384-x25519-ke1_mlkem768``: algorithms, of which any of each kind may be chosen,
the first one rather. Proposals are separated by commas.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tkm.algorithms import (
    ENCRYPTIONS,
    INTEGRITIES,
    METHODS,
    PRFS,
    Encryption,
    Integrity,
    Method,
    Prf,
    number_of,
)

IKE_DEFAULT: Final = "aes256-sha512-modp4096,aes256-sha512-modp3072"
ESP_DEFAULT: Final = IKE_DEFAULT
"""What a policy that names none allows: what the original TKM can."""

_ALIASES: Final = {
    "aes": "aes128",
    "curve25519": "x25519",
    "curve448": "x448",
    **{f"sha2_{bits}": f"sha{bits}" for bits in (256, 384, 512)},
    **{f"aes{bits}gcm128": f"aes{bits}gcm16" for bits in (128, 256)},
    **{f"aes{bits}ccm64": f"aes{bits}ccm8" for bits in (128, 256)},
}
"""Other spellings of strongSwan's."""
_ENCRYPTIONS: Final = {each.keyword: each for each in ENCRYPTIONS}
_INTEGRITIES: Final = {each.keyword: each for each in INTEGRITIES}
_PRFS: Final = {each.keyword: each for each in PRFS}
_METHODS: Final = {each.keyword: each for each in METHODS}
_ADDITIONAL: Final = re.compile(r"ke([1-7])_(\w+)")
_NONE: Final = "none"


class Proposal(NamedTuple):
    """What one proposal offers.

    Attributes:
        methods: First key exchanges.
        additional: Those that follow, by position from 1; ``None``: it can be left out (RFC 9370).
        esn: With extended sequence numbers, or without (RFC 4303, 2.2.1).
    """

    encryptions: tuple[Encryption, ...]
    integrities: tuple[Integrity, ...]
    prfs: tuple[Prf, ...]
    methods: tuple[Method, ...]
    additional: dict[int, list[Method | None]]
    esn: tuple[bool, ...]

    def permits(self, number: int, methods: Sequence[int]) -> bool:
        """Whether an SA may be made of this.

        Key exchanges beyond those that are named add to the keys, and take nothing away.

        Args:
            number: Of its suite, in tkm-rpc.
            methods: Of its key exchanges, in their order; empty for a Child SA that has none.
        """
        if number not in self._numbers:
            return False
        if not methods:
            return True
        first, *others = methods
        further = iter(others)
        return any(each.id == first for each in self.methods) and all(
            any(method in needed for method in further) for needed in self._needed
        )

    @property
    def _needed(self) -> list[set[int]]:
        """The methods of each further key exchange that cannot be left out, in their order."""
        return [
            {each.id for each in choices if each}
            for _, choices in sorted(self.additional.items())
            if None not in choices
        ]

    @property
    def _numbers(self) -> set[int]:
        integrities = [each.id for each in self.integrities] or [0]
        prfs = [each.id for each in self.prfs] or [0]
        return {
            number_of(each.id, each.key, integrity, prf)
            for each in self.encryptions
            for integrity in integrities
            for prf in prfs
        }


def parse(text: str, *, esp: bool) -> tuple[Proposal, ...]:
    """The proposals of a list, for ESP or else for IKE.

    Raises:
        ValueError: A word is unknown, or an algorithm is missing.
    """
    return tuple(_proposal(item.strip().lower(), esp=esp) for item in text.split(","))


def _proposal(text: str, *, esp: bool) -> Proposal:
    words = [_ALIASES.get(word, word) for word in text.split("-")]
    if len(words) > len(set(words)):
        raise ValueError(f"proposal {text}: an algorithm is there twice")
    additional: dict[int, list[Method | None]] = {}
    for word in words:
        if found := _ADDITIONAL.fullmatch(word):
            method = _METHODS.get(_ALIASES.get(found[2], found[2]))
            if method or found[2] == _NONE:
                additional.setdefault(int(found[1]), []).append(method)
                continue
        own = word in ("esn", "noesn") if esp else word in _PRFS
        is_first = word in _METHODS and not _METHODS[word].is_kem
        if not (own or is_first or word in _ENCRYPTIONS or word in _INTEGRITIES):
            raise ValueError(f"proposal {text}: {word!r} is not supported")
    integrities = tuple(_INTEGRITIES[word] for word in words if word in _INTEGRITIES)
    prfs = tuple(_PRFS[word] for word in words if word in _PRFS)
    if not esp and not prfs:  # an integrity algorithm brings its PRF along
        prfs = tuple(prf for each in integrities for prf in PRFS if prf.id == each.prf)
    proposal = Proposal(
        tuple(_ENCRYPTIONS[word] for word in words if word in _ENCRYPTIONS),
        integrities,
        prfs,
        tuple(_METHODS[word] for word in words if word in _METHODS),
        additional,
        tuple(word == "esn" for word in words if word in ("esn", "noesn")) or (False,),
    )
    _check(text, proposal, esp=esp)
    return proposal


def _check(text: str, proposal: Proposal, *, esp: bool) -> None:
    aead = [each.keyword for each in proposal.encryptions if each.icv]
    if aead and (proposal.integrities or len(aead) < len(proposal.encryptions)):
        raise ValueError(
            f"proposal {text}: {aead[0]} takes no integrity algorithm (RFC 5282, 8): "
            "ciphers that need one make a proposal of their own"
        )
    needs_method = not esp or bool(proposal.additional)
    for kind, is_missing in (
        ("ENCR", not proposal.encryptions),
        ("PRF", not esp and not proposal.prfs),
        ("INTEG", not aead and not proposal.integrities),
        ("KE", needs_method and not proposal.methods),
    ):
        if is_missing:
            raise ValueError(f"proposal {text}: no algorithm of type {kind}")
