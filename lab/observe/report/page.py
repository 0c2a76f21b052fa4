# SPDX-License-Identifier: GPL-2.0-or-later
"""The model of the page, from a run: all that the template writes, and nothing that it decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lab.check.proof import CaptureError, Verdict, iter_pcap
from lab.client.status import CaptureFile, LogLine
from lab.observe.report.ike_keys import Opener
from lab.observe.report.ladder import MessageView, ladder
from lab.observe.report.lanes import Event, Lane, lane_of, log_events, wire_events
from lab.observe.report.run import Expectation, Run
from lab.observe.report.sas import Database, SaView, sa_views
from lab.observe.report.scale import Scale
from lab.observe.report.wire import ike_packets

WIDTH = 1000
"""Of the time axis, in units of the drawings."""
MOST_MESSAGES, MOST_PACKETS, MOST_LINES = 1500, 5000, 8000
"""What a page shows at most of each; the rest is counted. A browser has to bear it."""


class Row(NamedTuple):
    """A lane of a host."""

    host: str
    lane: Lane
    marks: tuple[tuple[float, Event], ...]
    """Each with its place; of several at one place only the first is drawn."""


class LinkView(NamedTuple):
    """What a link's capture proves."""

    name: str
    is_red: bool
    frames: int
    esp: int
    other: str
    failures: tuple[str, ...]


class Line(NamedTuple):
    """A log line."""

    number: int
    time: float
    host: str
    daemon: str
    lane: str
    """A class for the filter: the name of a member of `Lane`, in lower case."""
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """All that is on the page."""

    name: str
    kernel: str
    hosts: tuple[str, ...]
    start: float
    """Of the run: times on the page count from here."""
    links: tuple[LinkView, ...]
    rows: tuple[Row, ...]
    cuts: tuple[tuple[float, float], ...]
    columns: tuple[str, ...]
    """Who takes part in the ladder."""
    messages: tuple[MessageView, ...]
    sas: tuple[SaView, ...]
    spans: tuple[tuple[float, float], ...]
    """Of each SA: where its bar begins and ends."""
    lines: tuple[Line, ...]
    remarks: tuple[str, ...]
    """What the page does not show, and why."""
    has_keys: bool
    """The keys of IKE are exposed."""
    expectations: tuple[Expectation, ...]


def page_of(run: Run) -> Page:
    """The page of a run. Nothing that was on the wire or in a log makes it fail."""
    found, faults = ike_packets(run.captures)
    messages = ladder(found[:MOST_MESSAGES], run.addresses, Opener(run.ike_keys))
    verdicts = {link: _verdict(run, link, capture) for link, capture in run.captures.items()}
    packets = {link: verdict.esp[:MOST_PACKETS] for link, verdict in verdicts.items()}
    shown_lines = run.logs[:MOST_LINES]
    database = Database(run.sas)
    sent = (packet for each in packets.values() for packet in each)
    on_the_wire = wire_events(messages, sent, frozenset(run.hosts), database.target)
    events = [*log_events(shown_lines), *on_the_wire]
    scale = Scale((event.time for event in events), WIDTH)
    sas = sa_views(database, packets, run.logs, run.addresses)
    left_out = (
        ("IKE messages", len(found) - MOST_MESSAGES),
        ("log lines", len(run.logs) - MOST_LINES),
        *((f"ESP packets on {link}", len(v.esp) - MOST_PACKETS) for link, v in verdicts.items()),
    )
    return Page(
        name=run.name,
        kernel=run.kernel,
        hosts=run.hosts,
        start=scale.start,
        links=tuple(_link(run, link, verdict) for link, verdict in verdicts.items()),
        rows=tuple(_rows(run.hosts, events, scale)),
        cuts=tuple(scale.cuts()),
        columns=_columns(run.hosts, messages),
        messages=tuple(messages),
        sas=tuple(sas),
        spans=tuple(_span(sa, scale) for sa in sas),
        lines=tuple(map(_line, shown_lines)),
        remarks=tuple(_remarks(run, faults, left_out)),
        has_keys=bool(run.ike_keys),
        expectations=run.expectations,
    )


def _verdict(run: Run, link: str, capture: CaptureFile) -> Verdict:
    from lab.check.proof.engine import verify  # scapy: half a second, for this page alone

    try:
        frames = list(iter_pcap(capture.pcap, capture.senders))
    except CaptureError:  # `ike_packets` reports it
        return Verdict(0, (), (), {}, ())
    return verify(frames, run.sas, (), red=link in run.red_links)


def _link(run: Run, link: str, verdict: Verdict) -> LinkView:
    others = ", ".join(f"{count} {kind}" for kind, count in verdict.other.items())
    failures = tuple(str(one) for one in verdict.failures if one.frame is not None)
    return LinkView(link, link in run.red_links, verdict.frames, len(verdict.esp), others, failures)


def _rows(hosts: Sequence[str], events: Sequence[Event], scale: Scale) -> Iterator[Row]:
    lanes: dict[tuple[str, Lane], dict[float, Event]] = {
        (host, lane): {} for host in hosts for lane in Lane
    }
    for event in sorted(events, key=lambda one: (one.time, one.kind != "refused")):
        marks = lanes.get((event.host, event.lane))
        if marks is not None:
            marks.setdefault(round(scale.place(event.time)), event)
    for (host, lane), marks in lanes.items():
        if marks:
            yield Row(host, lane, tuple(marks.items()))


def _columns(hosts: Sequence[str], messages: Sequence[MessageView]) -> tuple[str, ...]:
    """Those that send or receive IKE, in the order of the hosts; strangers come last."""
    taking_part = {end for view in messages for end in (view.source, view.destination)}
    ours = [host for host in hosts if host in taking_part]
    return (*ours, *sorted(taking_part.difference(ours)))


def _span(sa: SaView, scale: Scale) -> tuple[float, float]:
    begin = 0.0 if sa.begin is None else scale.place(sa.begin)
    end = WIDTH if sa.end is None else scale.place(sa.end)
    return begin, max(end, begin + 2)


def _line(line: LogLine) -> Line:
    lane = lane_of(line.daemon).name.lower()
    return Line(line.number, line.time, line.node, line.daemon, lane, line.message)


def _remarks(run: Run, faults: Sequence[str], left_out: Iterable[tuple[str, int]]) -> Iterator[str]:
    yield from faults
    if run.lost:
        yield f"The lab had no room for {run.lost}."
    for link, capture in run.captures.items():
        if capture.lost:
            yield f"{link}: {capture.lost} frames are missing in the capture."
    for what, count in left_out:
        if count > 0:
            yield f"{count} more {what} are not shown: the page would be too large."
    yield from run.impairments
