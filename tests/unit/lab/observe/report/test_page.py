# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of a recorded run has all that happened in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.client.status import CaptureFile
from lab.observe.report import page as pages
from lab.observe.report.ladder import CLOSED, OPENED, MessageView
from lab.observe.report.lanes import Lane, lane_of
from lab.observe.report.page import page_of
from tests.unit.lab.observe.report.recorded import two_hosts

PAGE = page_of(two_hosts())
_INIT = bytes(8) + b"\x21\x20\x22\x08"
"""Of the first message's header: no SPI yet, SA payload, version 2, IKE_SA_INIT, flag I."""


def _titled(start: str, messages: tuple[MessageView, ...] = PAGE.messages) -> list[MessageView]:
    return [view for view in messages if view.title.startswith(start)]


def test_messages_are_opened_with_the_exposed_keys() -> None:
    (init,) = _titled("IKE_SA_INIT request")
    assert [view.label for view in init.payloads][:3] == ["SA", "KE", "No"]
    assert not any(view.was_encrypted for view in init.payloads)
    delete = _titled("INFORMATIONAL request")[0]
    assert delete.title.endswith("[ D ]")
    assert delete.note == OPENED
    assert [view.was_encrypted for view in delete.payloads] == [False, True]


def test_titles_are_those_that_the_daemon_logs() -> None:
    logged = [line.text.partition("parsed ")[2] for line in two_hosts().logs]
    parsed = {line for line in logged if line}
    assert parsed
    assert parsed <= {view.title for view in PAGE.messages}


def test_a_message_in_fragments_is_put_together() -> None:
    pieces = _titled("IKE_AUTH request")
    assert [view.title for view in pieces[:3]] == [
        f"IKE_AUTH request 1 [ EF({number}/4) ]" for number in (1, 2, 3)
    ]
    assert "IDi CERT" in pieces[3].title
    identity = next(view for view in pieces[3].payloads if view.label == "IDi")
    assert identity.about.fields[1].value == "alice@tkm-lab.test"
    assert identity.about.fields[1].section == "RFC 7296, 3.5"


def test_without_keys_the_encrypted_part_stays_closed() -> None:
    closed = page_of(replace(two_hosts(), ike_keys=()))
    assert not closed.has_keys
    assert not any(view.was_encrypted for one in closed.messages for view in one.payloads)
    assert {view.note for view in _titled("CREATE_CHILD_SA", closed.messages)} == {CLOSED}


def test_wrong_keys_open_nothing() -> None:
    spoilt = [row.replace(row.split(",")[5], "00" * 64) for row in two_hosts().ike_keys]
    closed = page_of(replace(two_hosts(), ike_keys=(*spoilt, "not,a,row", '"')))
    requests = _titled("INFORMATIONAL request 3", closed.messages)
    assert [view.note for view in requests] == [CLOSED]


def test_every_esp_packet_has_its_verdict() -> None:
    packets = [packet for sa in PAGE.sas for packet in sa.packets]
    assert len(packets) == PAGE.links[0].esp > 0
    assert all(packet.ok for packet in packets)
    assert all("ICMP echo" in packet.inside for packet in packets)


def test_sas_begin_and_end_when_the_key_manager_logs_it() -> None:
    ended = [sa for sa in PAGE.sas if sa.end is not None]
    assert len(PAGE.sas) == 8  # the first pair and three rekeys
    assert len(ended) == 6
    assert all(sa.begin is not None and sa.end and sa.begin < sa.end for sa in ended)


def test_packets_of_an_sa_in_udp_are_found_by_its_spi() -> None:
    run = two_hosts()
    behind = tuple(replace(sa, dst="10.9.9.9", in_udp=True) for sa in run.sas)
    page = page_of(replace(run, sas=behind))
    assert {sa.destination for sa in page.sas} == {"10.9.9.9"}
    assert sum(len(sa.packets) for sa in page.sas) == page.links[0].esp
    targets = {event.target for row in page.rows for _, event in row.marks}
    led_to = {target for target in targets if target.startswith("sa-")}
    assert led_to
    assert led_to <= {sa.target for sa in page.sas}


def test_packets_of_an_sa_that_no_kernel_reports_are_shown() -> None:
    page = page_of(replace(two_hosts(), sas=()))
    assert {sa.suite for sa in page.sas} == {"no kernel has reported this SA"}
    assert {packet.verdict.partition(":")[0] for sa in page.sas for packet in sa.packets} == {
        "unknown SPI"
    }


def test_a_packet_that_was_altered_is_refused() -> None:
    run = two_hosts()
    capture = run.captures["wire"]
    octets = bytearray(capture.pcap)
    octets[octets.rindex(bytes.fromhex(PAGE.sas[-1].spi) + bytes(3)) + 20] ^= 1
    page = page_of(replace(run, captures={"wire": replace(capture, pcap=bytes(octets))}))
    refused = [packet for sa in page.sas for packet in sa.packets if not packet.ok]
    assert [packet.verdict.partition(":")[0] for packet in refused] == ["ICV wrong"]
    assert len(page.links[0].failures) == 1


def test_each_host_has_its_lanes() -> None:
    lanes = {(row.host, row.lane) for row in PAGE.rows}
    daemons = set(Lane) - {Lane.OTHER}
    assert lanes == {(host, lane) for host in ("alice", "bob") for lane in daemons}
    kernel = next(row for row in PAGE.rows if (row.host, row.lane) == ("alice", Lane.KERNEL))
    texts = [event.text for _, event in kernel.marks]
    assert "XFRM_MSG_ACQUIRE" in texts
    assert any(text.startswith("Deleting ESA") for text in texts)


@pytest.mark.parametrize(
    ("daemon", "lane"),
    [
        ("tkm_iked", Lane.IKE),
        ("charon-systemd", Lane.IKE),
        ("charon-tkm", Lane.IKE),
        ("tkm_keymanager", Lane.TKM),
        ("xfrm_proxy", Lane.PROXY),
        ("python3", Lane.OTHER),
    ],
)
def test_a_program_has_its_lane(daemon: str, lane: Lane) -> None:
    assert lane_of(daemon) is lane


def test_places_are_in_the_order_of_time_and_on_the_axis() -> None:
    for row in PAGE.rows:
        places = [place for place, _ in row.marks]
        assert places == sorted(places)
        assert all(0 <= place <= pages.WIDTH for place in places)


def test_a_truncated_capture_is_reported_and_the_rest_shown() -> None:
    run = two_hosts()
    capture = run.captures["wire"]
    cut = replace(run, captures={"wire": replace(capture, pcap=capture.pcap[:-5])})
    page = page_of(cut)
    assert any("ends in the middle of frame" in remark for remark in page.remarks)
    assert page.lines == PAGE.lines


def test_what_no_decoder_takes_is_shown_with_the_reason() -> None:
    run = two_hosts()
    capture = run.captures["wire"]
    first = capture.pcap.index(_INIT)
    spoilt = bytearray(capture.pcap)
    spoilt[first + 20 + 2] = 0xFF  # the length of the first payload
    page = page_of(replace(run, captures={"wire": replace(capture, pcap=bytes(spoilt))}))
    assert page.messages[0].title.startswith("not an IKE message: ")
    assert page.messages[0].octets


def test_what_would_make_the_page_too_large_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_LINES", 3)
    monkeypatch.setattr(pages, "MOST_MESSAGES", 2)
    page = page_of(two_hosts())
    assert (len(page.lines), len(page.messages)) == (3, 2)
    assert f"{len(two_hosts().logs) - 3} more log lines are not shown" in " ".join(page.remarks)


def test_lost_frames_are_reported() -> None:
    lossy = {
        link: CaptureFile(one.pcap, one.ports, one.next, 7)
        for link, one in two_hosts().captures.items()
    }
    assert (
        "wire: 7 frames are missing in the capture."
        in page_of(replace(two_hosts(), captures=lossy)).remarks
    )
