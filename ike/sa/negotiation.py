# SPDX-License-Identifier: GPL-2.0-or-later
"""Choosing among proposals, and checking what was chosen (RFC 7296, 2.7 and 3.3.6)."""

from collections.abc import Sequence

from ike.config.proposals import Suite
from ike.errors import InvalidKePayload, NoProposalChosen
from ike.message.ke import KeyExchange
from ike.message.message import Message
from ike.message.numbers import KeMethod, Protocol, TransformType
from ike.message.sa import Proposal, SecurityAssociation, Transform


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

    :raises NoProposalChosen: none is.
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
    chosen = []
    for kind in kinds:
        ours = [transform for transform in suite if transform.kind == kind]
        theirs = [transform for transform in offered if transform.kind == kind]
        if not ours and _is_optional(kind, theirs):
            continue
        common = next((transform for transform in ours if transform in theirs), None)
        if common is None:
            return None
        chosen.append(common)
    return tuple(chosen)


def _is_optional(kind: int, theirs: list[Transform]) -> bool:
    """The peer offers to go without a transform of this type."""
    keying = kind == TransformType.KE or kind >= TransformType.ADDKE1
    return keying and any(transform.id == KeMethod.NONE for transform in theirs)


def check(offered: SecurityAssociation, answer: SecurityAssociation, spi_size: int) -> Proposal:
    """The proposal that the peer has chosen from ours, with its SPI.

    :raises NoProposalChosen: we have offered no such thing.
    """
    if len(answer.proposals) != 1:
        raise NoProposalChosen(f"the peer has chosen {len(answer.proposals)} proposals")
    chosen = answer.proposals[0]
    ours = next((p for p in offered.proposals if p.number == chosen.number), None)
    if ours is None or ours.protocol != chosen.protocol or len(chosen.spi) != spi_size:
        raise NoProposalChosen("the peer has chosen what was not offered")
    kinds = [transform.kind for transform in chosen.transforms]
    complete = sorted(kinds) == sorted({transform.kind for transform in ours.transforms})
    if not complete or not set(chosen.transforms) <= set(ours.transforms):
        raise NoProposalChosen("the peer has chosen what was not offered")
    return chosen


def group_of(proposal: Proposal) -> int:
    """The key exchange method of a chosen proposal; 0: none."""
    return next((t.id for t in proposal.transforms if t.kind == TransformType.KE), KeMethod.NONE)


def public_value_for(proposal: Proposal, message: Message) -> bytes:
    """The peer's public value, of the group that the chosen proposal has.

    :raises InvalidKePayload: its KE payload is of another group.
    """
    group = group_of(proposal)
    payload = message.need(KeyExchange)
    if payload.method != group:
        raise InvalidKePayload(
            f"a public value of group {payload.method} in place of {group}",
            data=group.to_bytes(2, "big"),
        )
    return payload.public_value
