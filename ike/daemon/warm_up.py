# SPDX-License-Identifier: GPL-2.0-or-later
"""Set up an IKE SA with ourselves, before the first peer comes, and free everything again.

What runs for the first time is slow: pages of memory are not there yet, libraries look for their
algorithms, caches are empty. In User-Mode Linux a page costs 0.1 ms, and a first handshake needs
two thousand of them, on a processor that both hosts share. So all of that is done while nothing
waits for it: our engine sets up an IKE SA with another one, whose configuration is ours mirrored.
The TKM accepts none of its own nonces and public values as a peer's, so each side gets those of the
other one changed in a bit. Therefore their keys differ, and it ends where one would have to read
what the other has encrypted.
"""

import contextlib
import io
import logging
import time
from collections.abc import Iterator

from ike.config.model import Configuration, Connection
from ike.engine.engine import Ike
from ike.message.errors import PeerError
from ike.message.header import Header
from ike.message.message import Message
from ike.message.numbers import ExchangeType
from ike.message.payloads import KeyExchange, Nonce
from ike.tkm_client import TkmClient

log = logging.getLogger("ike")

_REASON = "the warm-up is over"
_MOST_ROUNDS = 20


def warm_up(tkm: TkmClient, configuration: Configuration) -> None:
    """Set up an IKE SA for the first Child SA that there may be; all contexts are reset."""
    children = [child for each in configuration.connections for child in each.children]
    if not children:
        return
    began = time.monotonic()
    with _discarding_logs(), contextlib.suppress(PeerError):
        mirrored = tuple(map(_mirrored, configuration.connections))
        # It knows no authorities, so the TKM is not asked whether we are our own peer.
        engines = Ike(tkm, configuration), Ike(tkm, Configuration(mirrored, ()))
        engines[0].initiate(children[0].reqid, 0.0)
        _carry(*engines)
        for engine in engines:
            engine.close(_REASON, 0.0)
    tkm.reset()
    log.info("warmed up by an IKE_SA with ourselves in %.0f ms", (time.monotonic() - began) * 1000)


def _mirrored(connection: Connection) -> Connection:
    """The same connection, seen from the other side."""
    values = {name: getattr(connection, name) for name in connection._fields}
    for one, other in (("local_addrs", "remote_addrs"), ("local_id", "remote_id")):
        values[one], values[other] = values[other], values[one]
    return Connection(**values)


def _carry(one: Ike, other: Ike) -> None:
    """Exchange the datagrams of two engines, until there are none."""
    for _ in range(_MOST_ROUNDS):
        for source, target in ((one, other), (other, one)):
            for datagram in source.datagrams_to_send():
                octets = _changed(datagram.octets)
                target.receive_datagram(octets, datagram.remote, datagram.local, 0.0)


def _changed(datagram: bytes) -> bytes:
    """The same message, but its nonce and its public value are not those of our own TKM."""
    if Header.decode(datagram)[0].exchange != ExchangeType.IKE_SA_INIT:
        return datagram
    message = Message.decode(datagram)
    for payload in (message.find(KeyExchange), message.find(Nonce)):
        if payload:
            value = payload.encode()
            datagram = datagram.replace(value, value[:-1] + bytes((value[-1] ^ 1,)))
    return datagram


@contextlib.contextmanager
def _discarding_logs() -> Iterator[None]:
    """Format what is logged, and discard it."""
    streams = [each for each in logging.getLogger().handlers if hasattr(each, "setStream")]
    before = [handler.setStream(io.StringIO()) for handler in streams]
    try:
        yield
    finally:
        for handler, stream in zip(streams, before, strict=True):
            if stream:
                handler.setStream(stream)
