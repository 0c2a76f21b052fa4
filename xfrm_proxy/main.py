# SPDX-License-Identifier: GPL-2.0-or-later
"""xfrm_proxy as a program."""

import argparse
import logging
import selectors
import sys
from collections.abc import Container, Sequence
from contextlib import suppress

from tkm import VERSION, sandbox
from tkm.daemon import logs
from tkm.daemon.reactor import Reactor
from tkm.errors import KernelError
from tkm.rpc import systemd
from tkm.rpc.client import Client, connect
from tkm.rpc.ees import EES, EsaAcquire
from tkm.rpc.paths import EES_SOCKET
from tkm.rpc.result import FieldError, Refused, RpcError
from tkm.sandbox import calls, privileges
from tkm.xfrm.abi import Type
from xfrm_proxy.events import Event, EventSocket, Group, rehearse, translate

log = logging.getLogger(__name__)


_INTERVAL = 0.2
"""Seconds between two attempts to deliver what waits."""
_MOST = 256
"""Events that wait, at most; the oldest are forgotten."""


class Proxy:
    """Reads events, passes them on.

    What cannot be delivered, because no IKE daemon is there, waits for one: the kernel does not say
    again that a packet needs an SA for as long as it holds a place for that, 30 s.
    """

    def __init__(self, path: str, servers: Container[int] = ()) -> None:
        self._path = path
        self._servers = servers
        self._netlink = EventSocket(Group.ACQUIRE, Group.EXPIRE)
        self._client: Client | None = None
        self._waiting: dict[str, Event] = {}
        """By their descriptions: of what is asked for twice, one is enough."""

    def fileno(self) -> int:
        """For a selector: an event is waiting."""
        return self._netlink.fileno()

    def forward(self) -> None:
        """Pass on what is waiting."""
        for kind, octets in self._netlink.events():
            with suppress(ValueError):
                log.info(
                    "Netlink message received ( %d bytes ), type XFRM_MSG_%s",
                    len(octets),
                    Type(kind).name,
                )
            if event := translate(kind, octets):
                log.info("Initiating %s", describe(event))
                if not self._pass_on(event):
                    self._waiting[describe(event)] = event
        for oldest in list(self._waiting)[:-_MOST]:
            del self._waiting[oldest]

    def try_again(self) -> float | None:
        """Pass on what waits; return in how many seconds to come back, ``None``: nothing waits."""
        for description, event in list(self._waiting.items()):
            if not self._pass_on(event, first=False):
                return _INTERVAL
            del self._waiting[description]
        return None

    def _pass_on(self, event: Event, *, first: bool = True) -> bool:
        """Whether nothing more is to be done about it."""
        # A daemon that was started again has closed the old connection: try a new one once.
        for attempt in ("again", "no more"):
            try:
                self._client = self._client or connect(EES, self._path, self._servers)
                self._client.call(event)
            except FieldError as error:
                log.warning("Not ours: %s", error)
            except Refused as error:
                log.warning("Event refused: %s", error)
            except RpcError as error:
                self._client = None
                if attempt == "again":
                    continue
                if first:
                    log.warning(
                        "Event not delivered: %s; waiting (--socket chooses another)", error
                    )
                return False
            return True
        return False


def describe(event: Event) -> str:
    """An event in the words of the original."""
    if isinstance(event, EsaAcquire):
        return f"ESA acquire for reqid {event.sp_id}"
    return (
        f"ESA expire (reqid {event.sp_id}, proto {event.protocol}, "
        f"SPI {event.spi_rem.hex()}, hard {str(event.hard).upper()})"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not start, 2 wrong use."""
    parser = argparse.ArgumentParser(
        prog="xfrm_proxy", description="Pass the kernel's acquire and expire events to IKE."
    )
    parser.add_argument(
        "--socket", metavar="PATH", default=EES_SOCKET, help="of the IKE daemon (%(default)s)"
    )
    parser.add_argument(
        "--server-user", metavar="USER", type=privileges.user_id, action="append", default=[],
        help="a user, beside root and ourselves, whose process may be the IKE daemon",
    )  # fmt: skip
    parser.add_argument(
        "--user", metavar="USER", type=privileges.user,
        help="become this user once the kernel's events are subscribed to; capabilities go in any "
        "case",
    )  # fmt: skip
    parser.add_argument(
        "--log", metavar="WHERE", default=logs.STDERR, help="stderr, syslog or a file"
    )
    sandbox.add_option(parser)
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    arguments = parser.parse_args(argv)
    try:
        logs.to(arguments.log, program=parser.prog)
        log.info("XFRM Proxy starting (%s)", VERSION)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {arguments.log}: {error.strerror}\n")
    try:
        proxy = Proxy(arguments.socket, arguments.server_user)
        # Joining the groups took CAP_NET_ADMIN, with which one also reads keys of ESP.
        log.info("Running as %s", privileges.give_up(arguments.user))
    except KernelError as error:
        log.critical("%s", error)
        return 1
    except OSError as error:
        log.critical("%s: %s", error.filename, error.strerror)
        return 1
    with Reactor(logs.reopen) as reactor:
        reactor.selector.register(proxy, selectors.EVENT_READ, proxy.forward)
        rehearse()
        systemd.connect()
        allowed = calls.DAEMON | calls.UNIX_CLIENT | calls.reopening(logs.open_flags())
        log.info("Sandbox %s", sandbox.enter(arguments.sandbox, allowed))
        log.info("Initialization complete, waiting for kernel events")
        systemd.notify("READY=1")
        reactor.run(proxy.try_again)
        systemd.notify("STOPPING=1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
