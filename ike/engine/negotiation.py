# SPDX-License-Identifier: GPL-2.0-or-later
"""Choosing among proposals, and checking what was chosen (RFC 7296, 2.7 and 3.3.6).

No key exchange is done twice: the methods of one proposal all differ (RFC 9370, 2.2.1).
"""

from collections.abc import Sequence

from ike.config.proposals import Suite, is_additional
from ike.message.errors import InvalidKePayload, NoProposalChosen
from ike.message.message import Message
from ike.message.numbers import KeMethod, Protocol, TransformType
from ike.message.payloads import KeyExchange, SecurityAssociation
from ike.message.substructures import Proposal, Transform


def offer(suites: Sequence[Suite], protocol: Protocol, spi: bytes = b"") -> SecurityAssociation:
    """The SA payload that offers all of ``suites``."""
    return SecurityAssociation(
        tuple(
            Proposal(number, protocol, spi, suite) for number, suite in enumerate(suites, start=1)
        )
    )


def choose(
    suites: Sequence[Suite], offered: SecurityAssociation, protocol: Protocol, spi_size: int
) -> Proposal:
    """The first of our suites that is offered: one transform of each type, the peer's SPI.

    Raises:
        NoProposalChosen: None is.
    """
    for suite in suites:
        for proposal in offered.proposals:
            if proposal.protocol != protocol or len(proposal.spi) != spi_size:
                continue
            if (chosen := _match(suite, proposal.transforms)) is not None:
                return Proposal(proposal.number, protocol, proposal.spi, chosen)
    raise NoProposalChosen("no proposal is acceptable")


def _match(suite: Suite, offered: Suite) -> Suite | None:
    """One transform of each type that both sides have; ``None`` if a type has none in common."""
    kinds = dict.fromkeys(transform.kind for transform in (*suite, *offered))
    chosen: list[Transform] = []
    for kind in kinds:
        taken = _methods(chosen) if _is_keying(kind) else []
        ours = [transform for transform in suite if transform.kind == kind]
        theirs = [transform for transform in offered if transform.kind == kind]
        if not ours and _is_optional(kind, theirs):
            continue
        common = next((t for t in ours if t in theirs and t.id not in taken), None)
        if common is None:
            return None
        chosen.append(common)
    return tuple(chosen)


def _is_optional(kind: int, theirs: list[Transform]) -> bool:
    """The peer offers to go without a transform of this type."""
    return _is_keying(kind) and any(transform.id == KeMethod.NONE for transform in theirs)


def _is_keying(kind: int) -> bool:
    return kind == TransformType.KE or TransformType.ADDKE1 <= kind <= TransformType.ADDKE7


def _methods(transforms: Sequence[Transform]) -> list[int]:
    """The key exchanges that are to be done."""
    keying = (transform.id for transform in transforms if _is_keying(transform.kind))
    return [method for method in keying if method != KeMethod.NONE]


def check(offered: SecurityAssociation, answer: SecurityAssociation, spi_size: int) -> Proposal:
    """The proposal that the peer has chosen from ours, with its SPI.

    Raises:
        NoProposalChosen: We have offered no such thing.
    """
    if len(answer.proposals) != 1:
        raise NoProposalChosen(f"the peer has chosen {len(answer.proposals)} proposals")
    chosen = answer.proposals[0]
    ours = next((p for p in offered.proposals if p.number == chosen.number), None)
    if ours is None or ours.protocol != chosen.protocol or len(chosen.spi) != spi_size:
        raise NoProposalChosen("the peer has chosen what was not offered")
    if not set(chosen.transforms) <= set(ours.transforms) or not _is_complete(chosen, ours):
        raise NoProposalChosen("the peer has chosen what was not offered")
    return chosen


def _is_complete(chosen: Proposal, ours: Proposal) -> bool:
    """One transform of each type, but for those that can be done without; no method twice."""
    kinds = [transform.kind for transform in chosen.transforms]
    left_out = {transform.kind for transform in ours.transforms}.difference(kinds)
    methods = _methods(chosen.transforms)
    return (
        len(kinds) == len(set(kinds))
        and len(methods) == len(set(methods))
        and all(_is_optional(k, [t for t in ours.transforms if t.kind == k]) for k in left_out)
    )


def group_of(proposal: Proposal) -> int:
    """The key exchange method of a chosen proposal; 0: none."""
    return next((t.id for t in proposal.transforms if t.kind == TransformType.KE), KeMethod.NONE)


def additional_of(proposal: Proposal) -> tuple[int, ...]:
    """The methods of the key exchanges that follow the first one, in their order."""
    return tuple(_methods(sorted(filter(is_additional, proposal.transforms), key=_kind)))


def _kind(transform: Transform) -> int:
    return transform.kind


def public_value(message: Message, group: int) -> bytes:
    """The peer's public value, of the group that was agreed on.

    Raises:
        InvalidKePayload: Its KE payload is of another group.
    """
    payload = message.need(KeyExchange)
    if payload.method != group:
        raise InvalidKePayload(
            f"a public value of group {payload.method} in place of {group}",
            data=group.to_bytes(2, "big"),
        )
    return payload.public_value
