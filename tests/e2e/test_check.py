# SPDX-License-Identifier: GPL-2.0-or-later
"""`check` on real captures: what it proves, since when, and everything that makes it refuse."""

from __future__ import annotations

import os
import re
import secrets
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab.check import checker
from lab.check.proof import Flaw, Frame, read_pcap, write_pcap
from lab.client import which
from lab.client.lab import Interface, Kernel, Lab, Node
from lab.client.status import Port
from tests.e2e.command import tkm_lab

ETHERNET, IP = 14, 20
WEST = {"alice": "192.0.2.1", "bob": "192.0.2.2"}
EAST = {"alice": "198.51.100.1", "bob": "198.51.100.2"}


@pytest.fixture(scope="module")
def evidence(two_hosts: Lab) -> checker.Evidence:
    """What a real lab gave; as it is, it proves."""
    evidence = checker.gather(two_hosts)
    (proof,) = checker.judge(evidence)
    assert proof.verdict.ok
    assert len(proof.verdict.deliveries) == 6
    return evidence


Change = Callable[[list[Frame]], list[Frame]]


def refusals(evidence: checker.Evidence, change: Change) -> list[str]:
    """Why the evidence proves nothing any more after its frames were changed."""
    (link,) = evidence.captures
    capture = evidence.captures[link]
    frames = change(read_pcap(capture.pcap, capture.senders))
    changed = replace(
        capture,
        pcap=write_pcap((frame.time, frame.octets) for frame in frames),
        ports=tuple(Port(frame.sender, link, "eth0") for frame in frames),
    )
    (proof,) = checker.judge(replace(evidence, captures={link: changed}))
    assert not proof.verdict.ok
    return [f"{failure.flaw}: {failure.reason}" for failure in proof.verdict.failures]


def is_esp(frame: Frame) -> bool:
    return frame.octets[12:14] == b"\x08\x00" and frame.octets[ETHERNET + 9] == 50


@pytest.mark.parametrize("place", [ETHERNET + IP + 8, -33, -1], ids=["IV", "ciphertext", "ICV"])
def test_one_flipped_bit_is_refused(evidence: checker.Evidence, place: int) -> None:
    def flip(frames: list[Frame]) -> list[Frame]:
        *others, last = frames
        assert is_esp(last)
        octets = bytearray(last.octets)
        octets[place] ^= 1
        return [*others, replace(last, octets=bytes(octets))]

    icv, missing = refusals(evidence, flip)
    assert icv.startswith("ICV wrong: frame ")
    assert "the packet was changed, or the key is another" in icv
    assert missing.startswith("never carried: echo reply 192.168.0.2 → 192.168.0.1")


def test_a_ping_in_plain_text_is_refused(evidence: checker.Evidence) -> None:
    from scapy.layers import inet

    def leak(frames: list[Frame]) -> list[Frame]:
        ping = inet.Ether(frames[-1].octets[:ETHERNET]) / inet.IP(
            src="192.168.0.1", dst="192.168.0.2"
        )
        return [*frames, replace(frames[-1], octets=bytes(ping / inet.ICMP(id=7, seq=1)))]

    (reason,) = refusals(evidence, leak)
    assert reason.startswith("plaintext: ")
    assert reason.endswith(
        "plaintext on the link: ICMP echo request 192.168.0.1 → 192.168.0.2 id 7 seq 1"
    )


def test_a_replayed_packet_is_refused(evidence: checker.Evidence) -> None:
    (reason,) = refusals(evidence, lambda frames: [*frames, frames[-1]])
    assert reason.startswith("replay: ")
    assert "had sequence number" in reason


def test_a_packet_that_was_left_out_is_missed(evidence: checker.Evidence) -> None:
    (reason,) = refusals(evidence, lambda frames: frames[:-1])
    assert reason.startswith("never carried: echo reply")


def test_an_sa_that_is_not_known_is_refused(evidence: checker.Evidence) -> None:
    (proof,) = checker.judge(replace(evidence, associations=()))
    assert {failure.flaw for failure in proof.verdict.failures} == {Flaw.UNKNOWN_SPI, Flaw.MISSING}


# --- by hand: two hosts on two links, SAs and policies from `ip xfrm` --------------------------


def keyed(src: str, dst: str, spi: int) -> str:
    enc, auth = secrets.token_hex(32), secrets.token_hex(64)
    keys = f"enc cbc(aes) 0x{enc} auth-trunc hmac(sha512) 0x{auth} 256"
    ends = f"src {src} dst {dst} proto esp spi {spi:#x}"
    return f"xfrm state add {ends} reqid 1 mode transport replay-window 32 {keys}"


def add_sas(lab: Lab, spi: int) -> None:
    """One SA each way, on both hosts."""
    alice, bob = WEST["alice"], WEST["bob"]
    sas = f"{keyed(alice, bob, spi)}\n{keyed(bob, alice, spi + 1)}\n"
    for node in WEST:
        ip_batch(lab, node, sas)


def ip_batch(lab: Lab, node: str, commands: str) -> None:
    result = lab.call(node, ["ip", "-batch", "-"], commands.encode())
    assert result.code == 0, result.stderr


def policies(node: str) -> str:
    (peer,) = WEST.keys() - {node}
    ways = ((WEST[node], WEST[peer], "out"), (WEST[peer], WEST[node], "in"))
    template = "tmpl proto esp reqid 1 mode transport"
    return "".join(f"xfrm policy add src {a} dst {b} dir {way} {template}\n" for a, b, way in ways)


@pytest.fixture
def by_hand(worker_id: str) -> Iterator[Lab]:
    """Traffic on `west` goes through ESP, on `east` it does not."""
    name = f"by-hand-{os.getpid()}-{worker_id}"
    with Lab.start(name, Kernel.UML, capture=1 << 20) as lab:
        links = {"west": WEST, "east": EAST}
        lab.create(
            Node(name, tuple(Interface(link, (f"{at[name]}/24",)) for link, at in links.items()))
            for name in WEST
        )
        for node in WEST:
            ip_batch(lab, node, policies(node))
        add_sas(lab, 0x1000)
        yield lab


def ping(lab: Lab, address: str, *options: str) -> None:
    command = ["ping", "-q", "-n", "-c", "3", "-i", "0.01", "-W", "2", *options, address]
    assert lab.call("alice", command).code == 0


def test_each_link_gets_its_verdict(by_hand: Lab) -> None:
    west, east = checker.check(by_hand)
    assert (west.link, west.verdict.ok, len(west.verdict.deliveries)) == ("west", True, 6)
    assert (east.link, east.verdict.ok, len(east.verdict.deliveries)) == ("east", True, 0)
    shown = tkm_lab("check", "--lab", by_hand.name)
    assert shown.code == 0
    assert "silent: nobody is to talk here, and nobody did" in shown.out
    assert shown.out.splitlines()[-1] == "proven: no link of 2 refuses, ESP on west"

    ping(by_hand, EAST["bob"])
    west, east = checker.check(by_hand)
    assert west.verdict.ok
    assert [failure.flaw for failure in east.verdict.failures] == [Flaw.PLAINTEXT] * 6
    shown = tkm_lab("check", "--lab", by_hand.name)
    assert shown.code == 1
    assert "refused for 6 reasons" in shown.out
    assert shown.out.splitlines()[-1] == "refused: 1 of 2 links: east"


def test_a_leak_in_the_past_is_refused(by_hand: Lab) -> None:
    checker.check(by_hand)
    for node in WEST:
        ip_batch(by_hand, node, "xfrm policy flush\n")
    ping(by_hand, WEST["bob"])
    for node in WEST:
        ip_batch(by_hand, node, policies(node))
    west, _ = checker.check(by_hand)
    assert [failure.flaw for failure in west.verdict.failures] == [Flaw.PLAINTEXT] * 6
    assert all(delivery.carried_by for delivery in west.verdict.deliveries)


def test_sas_that_are_gone_are_remembered(by_hand: Lab) -> None:
    ping(by_hand, WEST["bob"])
    before = {node: by_hand.states(node).states for node in WEST}
    for node in WEST:
        ip_batch(by_hand, node, "xfrm state flush\n")
        assert not by_hand.states(node).states
        assert timeless(by_hand.associations(node).states) == timeless(before[node])
    add_sas(by_hand, 0x2000)
    west, _ = checker.check(by_hand)
    assert west.verdict.ok, west.verdict.failures
    assert {packet.spi for packet in west.verdict.esp} == {0x1000, 0x1001, 0x2000, 0x2001}


def timeless(states: tuple[object, ...]) -> set[object]:
    """States without what changes in use, keys included."""
    return {replace(state, octets=0, packets=0, selector=None) for state in states}  # type: ignore[type-var]


def test_what_was_forgotten_is_told(by_hand: Lab) -> None:
    ping(by_hand, WEST["bob"], "-c", "10", "-s", "60000")
    shown = tkm_lab("check", "--lab", by_hand.name)
    assert shown.code == 0, shown
    assert "8 frames in this check: 8 ESP" in shown.out
    assert re.search(r"not before it, for the lab has forgotten \d+ frames", shown.out)
    assert "nothing is known of what came before" in shown.out

    told = tkm_lab("capture", "-o", os.devnull, "--lab", by_hand.name).complaint
    assert re.search(r"not complete: \d+ frames are missing", told)
    shown = tkm_lab("status", "--lab", by_hand.name)
    assert re.search(r"not complete: \d+ frames are missing", shown.out)


# --- what check says when nothing comes through ----------------------------------------------


def test_a_dead_daemon_is_named(by_hand: Lab) -> None:
    lab = by_hand
    ip_batch(lab, "bob", "xfrm state flush\n")
    lab.spawn("alice", ["sleep", "1000"], name="lives")
    lab.spawn("bob", ["sleep", "1000"], name="dies")
    lab.signal("bob", "dies", signal.SIGKILL)
    lab.wait_for_exit("bob", "dies")
    assert re.search(r"bob .* dies +\d+ +ended: 137", tkm_lab("status", "--lab", lab.name).out)
    outcome = tkm_lab("check", "--lab", lab.name)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.complaint == (
        "tkm-lab: no answer from bob to alice in 2 s: dies on bob has ended (137); "
        f"see {which.command(lab.name, 'logs', 'bob', 'dies')}"
    )
