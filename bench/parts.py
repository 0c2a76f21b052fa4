# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call to the TKM is made of, each part alone, in milliseconds: the floor of bench/rpc.py.

None of these is a call to the TKM; together they say what no change to it can save.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.trusted import host
from tkm.algorithms import ORIGINAL
from tkm.crypto.derivation import Roles, ike_keys
from tkm.crypto.secret import Secret
from tkm.crypto.signature import sign
from tkm.crypto.suite import IKE
from tkm.daemon import logs
from tkm.rpc.rpc2 import TkmLimits

TIMES = 100
SIGNATURE = "an RSA-2048 signature"


def measure(rounds: int) -> dict[str, float]:
    """The least of the rounds' medians, by name."""
    with Echo() as echo:
        calls = {
            "a round trip of 40 octets between two Python processes": echo.ask,
            "coding and dispatch of tkm_limits, both sides, no socket": _limits(),
            "a log line": _log_line(),
            "the keys of an IKE SA": _keys(),
            SIGNATURE: _signature(2048),
            "an RSA-3072 signature": _signature(3072),
        }
        found = [{name: _median(call) for name, call in calls.items()} for _ in range(rounds)]
    return {name: min(medians[name] for medians in found) for name in calls}


def _median(call: Callable[[], object]) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


class Echo:
    """A process that answers whatever comes, in the loop that the TKM has."""

    def __enter__(self) -> Echo:
        self._ours, theirs = socket.socketpair()
        self._process = os.fork()
        if not self._process:
            self._ours.close()
            _answer(theirs)
            os._exit(0)
        theirs.close()
        return self

    def ask(self) -> None:
        """There and back."""
        self._ours.sendall(bytes(12))
        self._ours.recv(65536)

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        os.waitpid(self._process, 0)


def _answer(client: socket.socket) -> None:
    client.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        while True:
            for _ in selector.select():
                if not client.recv(65536):
                    return
                client.send(bytes(40))


def _limits() -> Callable[[], object]:
    client = host("alice").client
    return lambda: client.call(TkmLimits())


def _log_line() -> Callable[[], object]:
    log = logging.getLogger("bench.parts")
    logs.to(os.devnull)
    return lambda: log.info("Nonce of length %d requested, context %d", 32, 1)


def _keys() -> Callable[[], object]:
    roles = Roles(os.urandom(32), os.urandom(32), os.urandom(8), os.urandom(8))
    shared = Secret(bytearray(os.urandom(512)))
    return lambda: ike_keys(roles, shared, IKE[ORIGINAL])


def _signature(bits: int) -> Callable[[], object]:
    key, octets = rsa.generate_private_key(65537, bits), os.urandom(700)
    return lambda: sign(key, octets, (2,))
