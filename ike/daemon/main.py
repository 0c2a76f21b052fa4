# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked: the untrusted IKEv2 daemon as a program. It parses the network and holds no key."""

import argparse
import contextlib
import logging
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from ike.config.files import Files
from ike.config.model import Configuration
from ike.config.swanctl import load
from ike.daemon import ees, reload
from ike.daemon.reconnect import TkmReconnect
from ike.daemon.service import Service
from ike.daemon.warm_up import warm_up
from ike.engine import own_keys
from ike.engine.engine import Ike
from ike.engine.route import PORTS, Ports
from ike.errors import ConfigError, LocalError
from ike.tkm_client import TkmClient
from ike.vici.control import Control
from ike.vici.server import SOCKET, ViciServer
from tkm import VERSION, sandbox
from tkm.rpc import systemd
from tkm.rpc.client import Client, SocketTransport
from tkm.rpc.log_limit import Limiter
from tkm.rpc.paths import EES_SOCKET, IKE_SOCKET, prepare
from tkm.rpc.result import Disconnected, RpcError
from tkm.rpc.rpc2 import RPC2
from tkm.rpc.server import Server
from tkm.sandbox import calls, privileges

log = logging.getLogger("ike")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tkm_iked",
        description="Do IKEv2 with peers. All keys are in the Trusted Key Manager.",
    )
    parser.add_argument(
        "-c", dest="config", metavar="SWANCTL.CONF", type=Path, required=True,
        help="connections; tkm_cfgtool writes it. Certificates are in x509/ and x509ca/ next to it",
    )  # fmt: skip
    parser.add_argument(
        "-r", dest="ca", metavar="CA.DER[:ID][,…]", default="",
        help="certificates of CAs, with the numbers that tkm_keymanager was given "
        "(default: the only root in x509ca/, number 1)",
    )  # fmt: skip
    parser.add_argument(
        "--rpc-socket", metavar="PATH", default=IKE_SOCKET, help="the TKM (%(default)s)"
    )
    parser.add_argument(
        "--server-user", metavar="USER", type=privileges.user_id, action="append", default=[],
        help="a user other than root and our own whose process may be the TKM",
    )  # fmt: skip
    parser.add_argument(
        "--ees-socket", metavar="PATH", default=EES_SOCKET,
        help="where to serve xfrm_proxy (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--allow-user", metavar="USER", type=privileges.user_id, action="append", default=[],
        help="a user other than root and our own whose process may be xfrm_proxy",
    )  # fmt: skip
    parser.add_argument(
        "--vici-socket", metavar="PATH",
        help=f"where to serve swanctl (default: {SOCKET}, if it is permitted and free)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=int, default=PORTS.ike, help="UDP port on both sides (%(default)s)"
    )
    parser.add_argument(
        "--nat-port", type=int, default=PORTS.nat,
        help="UDP port on both sides for ESP, and for IKE where there is a NAT (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--user", metavar="USER", type=privileges.user,
        help="become this user once all sockets are there; in any case all that is kept of root's "
        "rights is to bind ports",
    )  # fmt: skip
    parser.add_argument(
        "--warm-up", "--rehearse", action="store_true",
        help="before anything else, set up an IKE SA with ourselves, so that the first real one "
        "does not have to wait for pages and caches",
    )  # fmt: skip
    sandbox.add_option(parser)
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def _authorities(specification: str) -> list[tuple[Path, int]]:
    """``file[:number][,…]``, as tkm_keymanager takes it.

    Raises:
        ConfigError: A number is none.
    """
    authorities = []
    for part in specification.split(",") if specification else ():
        name, colon, digits = part.rpartition(":")
        if not colon:
            name, digits = part, "1"
        if not re.fullmatch("[1-9][0-9]{0,8}", digits):
            raise ConfigError(f"CA number '{digits}' is not a number from 1 up")
        authorities.append((Path(name), int(digits)))
    return authorities


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; SIGHUP: read the configuration again.

    Exit codes: 0 stopped, 1 fatal error, 2 wrong use.
    """
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%b %d %Y %H:%M:%S",
        stream=sys.stderr,
        force=True,
    )
    limiter = Limiter()
    for handler in logging.root.handlers:
        handler.addFilter(limiter)
    log.info("tkm_iked starting")
    try:
        authorities = _authorities(arguments.ca)
        files = Files()
        configuration = load(arguments.config, authorities, files)
        _serve(configuration, arguments, authorities, files, limiter)
    except (LocalError, RpcError) as error:
        log.critical("%s", error)
        return 1
    except OSError as error:
        log.critical("%s: %s", error.filename or arguments.ees_socket, error.strerror)
        return 1
    log.info("tkm_iked stopped")
    return 0


def _serve(
    configuration: Configuration,
    arguments: argparse.Namespace,
    authorities: Sequence[tuple[Path, int]],
    files: Files,
    limiter: Limiter,
) -> None:
    hosts = dict.fromkeys(
        host for connection in configuration.connections for host in connection.local_addrs
    )
    with contextlib.ExitStack() as stack:

        def connect() -> SocketTransport:
            return SocketTransport(arguments.rpc_socket, RPC2, servers=arguments.server_user)

        # Forked before it could inherit a socket.
        reader = stack.enter_context(reload.reader(arguments, files.used))
        try:
            transport = connect()
        except Disconnected as error:
            raise Disconnected(
                f"{error}: start tkm_keymanager first, or choose its socket with --rpc-socket"
            ) from None
        if arguments.warm_up:
            warm_up(TkmClient(Client(RPC2, transport)), configuration)
        tkm = TkmClient(Client(RPC2, transport))
        own_keys.check(tkm, configuration.connections)
        engine = Ike(tkm, configuration, ports=Ports(arguments.port, arguments.nat_port))
        service = stack.enter_context(Service(engine, hosts, limiter))
        reconnect = TkmReconnect(service, tkm, transport, connect)
        stack.enter_context(contextlib.closing(reconnect))
        control = Control(service)
        service.on_hangup = reload.Reload(control, reader, arguments.config, authorities)
        if vici := _vici(arguments.vici_socket, control):
            stack.enter_context(contextlib.closing(vici))
        # Last of all: other processes take this socket as the sign that we are ready.
        server = _ees(arguments, engine, service)
        stack.enter_context(contextlib.closing(server))
        # Exempting sockets from the policies took CAP_NET_ADMIN; ports are also for addresses that
        # a control client adds. Nothing has been read from a peer or a client yet.
        kept = privileges.give_up(arguments.user, privileges.NET_BIND_SERVICE)
        log.info("running as %s", kept)
        systemd.connect()
        log.info("sandbox %s", sandbox.enter(arguments.sandbox, calls.DAEMON | calls.NETWORK))
        for connection in configuration.connections:
            service.start(connection)
        service.timers.append(systemd.Watchdog())
        systemd.notify("READY=1")
        service.run()
        systemd.notify("STOPPING=1")
        tkm.reset()


def _ees(arguments: argparse.Namespace, engine: Ike, service: Service) -> Server:
    """Create the service that xfrm_proxy connects to.

    With ``--allow-user`` any user can connect to the socket; the kernel's credentials of the other
    end (SO_PEERCRED) decide which one is served.

    Raises:
        OSError: The socket cannot be created.
    """
    own = arguments.user.uid if arguments.user else os.getuid()
    users = {0, own, *arguments.allow_user}
    prepare(arguments.ees_socket, "--ees-socket")
    return Server(
        arguments.ees_socket,
        ees.dispatcher(engine),
        service.selector,
        mode=0o666 if arguments.allow_user else 0o600,
        allowed=lambda pid, uid, gid: uid in users,
    )


def _vici(path: str | None, control: Control) -> ViciServer | None:
    """Create the control interface; without ``path`` it is optional.

    Raises:
        OSError: Its socket cannot be created.
    """
    if path:
        return ViciServer(path, control)
    try:
        return ViciServer(SOCKET, control)
    except OSError as error:
        log.warning("%s: %s; swanctl cannot reach us", SOCKET, error.strerror)
        return None


if __name__ == "__main__":
    sys.exit(main())
