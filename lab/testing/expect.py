# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test expects on a link, in scapy's terms.

    wire = links("wire")
    lab.run("alice", ["ping", "-c1", "bob"])
    request = wire.expect(ESP, sender="alice")
    reply = wire.expect(lambda p: p[ICMP].type == 0, inside=True, after=request)
    wire.expect_not(ICMP)

Frames are those since the test has begun, or since `forget`. Nothing sleeps: the lab reports each
frame when it is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from lab.check.proof import read_pcap
from lab.observe import follow

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.client.status import CaptureFile
    from lab.testing.decrypt import Inside

DEADLINE = 5.0
"""Seconds that an expected packet may take."""
_TOLD = 20
"""Frames that a failure shows."""

Predicate = Callable[[Any], Any]
"""A layer's class, or a function of a packet; a packet without the layer that it asks for is no
match."""


class Seen(NamedTuple):
    """A frame that was on a link."""

    number: int
    """From 1 in what the test has seen of this link."""
    time: float
    """Seconds since 1970."""
    sender: str
    """The node that sent it."""
    packet: Any
    """scapy's Ether."""
    inside: Any
    """The IP packet inside ESP, opened with the lab's keys; None if there is none."""

    def __str__(self) -> str:
        inside = f"  [{self.inside.summary()}]" if self.inside is not None else ""
        return f"{self.number:4} {self.sender:<10} {self.packet.summary()}{inside}"


class Link:
    """A link of a lab, from a moment on."""

    def __init__(self, lab: Lab, name: str, since: int, inside: Inside) -> None:
        self.name = name
        self._lab = lab
        self._next = since
        self._inside = inside
        self._seen: list[Seen] = []

    @property
    def seen(self) -> list[Seen]:
        """Every frame by now."""
        self._take(self._lab.capture(self.name, self._next))
        return list(self._seen)

    def forget(self) -> None:
        """Begin anew: what was seen by now is of no more interest."""
        self._next = self._lab.status().frames
        self._seen.clear()

    def expect(
        self,
        what: Predicate,
        *,
        deadline: float = DEADLINE,
        sender: str | None = None,
        inside: bool = False,
        after: Seen | None = None,
    ) -> Seen:
        """The first frame that matches; waits for it.

        Args:
            what: a layer's class such as ESP, or a function of a scapy packet.
            deadline: seconds until it must be there.
            sender: the node that must have sent it.
            inside: look at what is inside ESP, not at what is on the wire.
            after: only at frames behind this one.

        Raises AssertionError: there was none in time; says what there was.
        """
        __tracebackhide__ = True
        for seen in self._arriving(deadline):
            if (after is None or seen.number > after.number) and _fits(seen, what, sender, inside):
                return seen
        wanted = _describe(what, sender, inside)
        raise AssertionError(
            f"no {wanted} on {self.name} within {deadline:g} s; there was:\n{self._told()}"
        )

    def expect_not(
        self,
        what: Predicate,
        *,
        deadline: float = 0.0,
        sender: str | None = None,
        inside: bool = False,
    ) -> None:
        """No frame matches, by now or (`deadline`) in the next so many seconds. Else as `expect`.

        Raises AssertionError: there was one; says which.
        """
        __tracebackhide__ = True
        for seen in self._arriving(deadline) if deadline else self.seen:
            if _fits(seen, what, sender, inside):
                wanted = _describe(what, sender, inside)
                raise AssertionError(f"there is {wanted} on {self.name}:\n{seen}")

    def _arriving(self, seconds: float) -> Iterator[Seen]:
        """Frames of the past and, for so many seconds, those that come."""
        yield from self.seen
        try:
            for captured in follow.frames(self._lab, self.name, self._next, seconds):
                before = len(self._seen)
                self._take(captured)
                yield from self._seen[before:]
        except TimeoutError:
            return

    def _take(self, captured: CaptureFile) -> None:
        from scapy.layers.l2 import Ether

        if captured.lost:
            raise AssertionError(f"the lab has lost {captured.lost} frames: they prove nothing")
        for frame in read_pcap(captured.pcap, captured.senders):
            packet = Ether(frame.octets)
            packet.time = frame.time
            inside = self._inside.open(packet)
            number = len(self._seen) + 1
            self._seen.append(Seen(number, frame.time, frame.sender, packet, inside))
        self._next = captured.next

    def _told(self) -> str:
        lines = [str(seen) for seen in self._seen[-_TOLD:]]
        left_out = len(self._seen) - len(lines)
        return "\n".join([f"  ({left_out} more)"] * bool(left_out) + lines) or "  nothing"


class Links:
    """The links of a lab, from a moment on: `links("wire")`."""

    def __init__(self, lab: Lab) -> None:
        from lab.testing.decrypt import Inside  # scapy: half a second

        status = lab.status()
        inside = Inside(lab)
        self.since = status.frames
        self._links = {name: Link(lab, name, self.since, inside) for name in status.links}

    def __call__(self, name: str) -> Link:
        """A link by its name. Raises LookupError: there is none."""
        if name not in self._links:
            raise LookupError(f"no link {name} in this lab; there is: {', '.join(self._links)}")
        return self._links[name]

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())


def _fits(seen: Seen, what: Predicate, sender: str | None, inside: bool) -> bool:
    packet = seen.inside if inside else seen.packet
    if packet is None or sender not in (None, seen.sender):
        return False
    if isinstance(what, type):
        return bool(packet.haslayer(what))
    try:
        return bool(what(packet))
    except IndexError:  # scapy's for a layer that is not there
        return False


def _describe(what: Predicate, sender: str | None, inside: bool) -> str:
    name = getattr(what, "__name__", repr(what))
    words = ["such packet" if name == "<lambda>" else name]
    words += [f"from {sender}"] if sender else []
    words += ["inside ESP"] if inside else []
    return " ".join(words)
