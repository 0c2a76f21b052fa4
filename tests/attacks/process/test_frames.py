# SPDX-License-Identifier: GPL-2.0-or-later
"""Absurd numbers, odd frames, and clients that come, go and do not read."""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from tests.attacks.process.attacker import Attacker
from tests.attacks.process.requests import (
    GENERATION_2,
    isa_create,
    no_pfs,
    nonce,
)
from tests.unit.tkm.conversation import MODP_3072
from tkm.crypto.key_exchange import method_of
from tkm.rpc import rpc2
from tkm.rpc.interface import Header
from tkm.rpc.result import Disconnected, Refused, Result
from tkm.rpc.server import MOST_CLIENTS_OF_A_USER


def _numbers(on: Attacker) -> Iterator[tuple[int, bytes]]:
    """Each operation with the least and the greatest of everything."""
    for kind in on.interface:
        for fill in (b"\0", b"\xff", b"\x80", b"\x01"):
            for size in (0, 1, 4, 8, 9, 40, 1000):
                yield kind.code, fill * size


def test_absurd_numbers(on: Attacker) -> None:
    """No frame that is all zeros, ones or the like is granted but resets and what only reads."""
    names = {kind.code: kind.operation for kind in on.interface}
    for code, body in _numbers(on):
        result, name = on.raw(code, body), names[code]
        is_harmless = name.endswith("_reset") or name in ("tkm_version", "tkm_limits", "nc_create")
        padded = on.generation == 1
        assert result is not Result.ABORTED or padded, name
        assert result or is_harmless or padded or name.startswith("ke_"), (name, body[:8])


@GENERATION_2
def test_huge_counts(on: Attacker) -> None:
    code = rpc2.IsaCreateChild.code
    head = struct.pack(">III", 2, 1, 1)
    for count in (0, 9, 128, 255):
        body = head + bytes([count]) + struct.pack(">I", 1) * count + bytes(100)
        assert on.raw(code, body) is Result.INVALID_PARAMETER
    for size in (0, 31, 257, 1 << 31, (1 << 32) - 1):
        body = head + b"\1\0\0\0\1" + struct.pack(">II", 1, size) + bytes(100)
        assert on.raw(code, body) is Result.INVALID_PARAMETER
    hashes = struct.pack(">II", 1, 1) + b"\xff" + bytes(2 * 255) + b"\0\0\0\1x"
    assert on.raw(rpc2.IsaSign.code, hashes) is Result.INVALID_PARAMETER


@GENERATION_2
def test_requests_that_are_responses(on: Attacker) -> None:
    for result in (1, 0x101, 0xFFFF):
        on.raw(rpc2.TkmVersion.code, b"", result)


def test_operations_that_are_none(on: Attacker) -> None:
    known = {kind.code for kind in on.interface}
    for code in (3, 0x102, 0x304, 0x90A, 0xA05, 0x7FFF, 0xFFFF):
        if code not in known:
            assert on.raw(code, bytes(40)) is Result.INVALID_OPERATION


def _frame(on: Attacker, nc: int) -> bytes:
    kind = next(each for each in on.interface if each.operation == "nc_create")
    body = kind(nc=nc, length=32).encode()
    return bytes(on.interface.framing().request(Header(kind.code, nc), body))


def test_clients_that_go_amid_a_frame(on: Attacker) -> None:
    frame = _frame(on, 1)
    for end in range(1, len(frame), max(1, len(frame) // 20)):
        with on.process.connect() as stream:
            stream.sendall(frame[:end])
    nonce(on)  # none of them was carried out


def test_clients_that_go_before_the_answer(on: Attacker) -> None:
    """Carried out or not, the nonce is in one context, and never in two."""
    for nc in range(1, 30):
        with on.process.connect() as stream:
            stream.sendall(_frame(on, nc))
    nonces = set()
    for nc in range(1, 30):
        with suppress(Refused):
            nonces.add(nonce(on, nc))
        on.client.call(rpc2.NcReset(nc=nc))
        nonces.add(nonce(on, nc))
    assert len(nonces) >= 29


def test_frames_octet_by_octet(on: Attacker) -> None:
    frame = _frame(on, 1) + _frame(on, 2)
    with on.process.connect() as stream:
        for at in range(min(len(frame), 300)):
            stream.sendall(frame[at : at + 1])
        stream.sendall(frame[300:])
        received, framing = bytearray(), on.interface.framing()
        answers: list[Header] = []
        while len(answers) < 2:
            if answer := framing.cut(received, responses=True):
                answers.append(answer[0])
            else:
                received += stream.recv(65536)
        assert [header[1:] for header in answers] == [(1, 0), (2, 0)]


def test_half_a_frame_holds_up_nobody(on: Attacker) -> None:
    with ExitStack() as stack:
        for nc in range(1, 21):
            stream = stack.enter_context(on.process.connect())
            stream.sendall(_frame(on, nc)[: 5 + nc])
        nonce(on, 50)
        on.active()


def test_more_clients_than_may_be(on: Attacker) -> None:
    with ExitStack() as stack:
        streams = [
            stack.enter_context(on.process.connect()) for _ in range(MOST_CLIENTS_OF_A_USER + 20)
        ]
        turned_away = 0
        for stream in streams:
            with suppress(OSError):
                stream.sendall(_frame(on, 1))
            try:
                turned_away += not stream.recv(1)
            except ConnectionError:
                turned_away += 1
        assert turned_away >= 20
        nonce(on, 2)  # who was there before goes on
    _wait_for_room(on)


def _wait_for_room(on: Attacker) -> None:
    """Those that have gone are noticed in their turn."""
    for _ in range(200):
        try:
            with on.another_client() as client:
                client.call(rpc2.TkmVersion())
                return
        except Disconnected:
            continue
    raise AssertionError("there is no room again")


def test_clients_crosswise(on: Attacker) -> None:
    """What one client has begun, another one goes on with: contexts are those of the host."""
    with on.another_client() as one, on.another_client() as two:
        one.call(rpc2.NcCreate(nc=1, length=32))
        on.refused(rpc2.NcCreate(nc=1, length=32), Result.INVALID_STATE, client=two)
        two.call(rpc2.KeGet(ke=1, method=MODP_3072))
        peers = method_of(MODP_3072).generate().public_value()
        one.call(rpc2.KeSet(ke=1, method=MODP_3072, public_value=peers))
        two.call(isa_create())
        for client in (one, two):
            on.refused(isa_create(isa=2, ae=2), Result.INVALID_STATE, client=client)


def test_a_reset_amid_the_requests_of_another(on: Attacker) -> None:
    _, alice, _ = on.active()
    with on.another_client() as other, on.process.connect() as stream:
        nonce(on, 2)
        frame = _frame(on, 1)
        stream.sendall(frame[:-1])
        other.call(rpc2.TkmReset())
        stream.sendall(frame[-1:])
        assert stream.recv(1)
        on.refused(no_pfs(alice, os.urandom(32)), Result.INVALID_STATE)


def test_answers_that_nobody_reads(on: Attacker) -> None:
    frame = b"".join(_frame(on, 1) for _ in range(50))
    with ExitStack() as stack:
        for _ in range(4):
            stream: socket.socket = stack.enter_context(on.process.connect())
            stream.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    stream.send(frame)
        on.client.call(rpc2.TkmVersion())
