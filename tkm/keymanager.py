# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_keymanager: the Trusted Key Manager as a program."""

import argparse
import logging
import os
import pwd
import sys
from collections.abc import Container, Sequence
from pathlib import Path

from tkm import VERSION, logs, memory, notify
from tkm.config import conf
from tkm.errors import ConfigError, KernelError
from tkm.keys import load_anchors, load_private_keys
from tkm.manager import CONTEXTS, KeyManager
from tkm.reactor import Reactor
from tkm.rpc.client import IKE_SOCKET
from tkm.rpc.server import Dispatcher, Server
from tkm.xfrm.kernel import XfrmKernel

log = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tkm_keymanager",
        description="Keep the keys of IKEv2 and ESP, and install policies and states in the "
        "kernel, for an IKE daemon that is not trusted.",
    )
    parser.add_argument(
        "-c", dest="config", metavar="TKM.CONF", type=Path, required=True,
        help="what is allowed; tkm_cfgtool writes it",
    )  # fmt: skip
    parser.add_argument(
        "-k", dest="keys", metavar="KEY.DER[:ID][,…]", required=True,
        help="RSA private keys of this host, and of which local identity each one is",
    )  # fmt: skip
    parser.add_argument(
        "-r", dest="ca", metavar="CA.DER[:ID][,…]", required=True,
        help="certificates of trusted CAs, and the numbers that the IKE daemon calls them by",
    )  # fmt: skip
    parser.add_argument(
        "--socket", metavar="PATH", default=IKE_SOCKET, help="where to serve (%(default)s)"
    )
    parser.add_argument(
        "--socket-mode", metavar="MODE", type=_mode, default=0o600,
        help="permissions of the socket, octal (600)",
    )  # fmt: skip
    parser.add_argument(
        "--allow-user", metavar="USER", type=_user, action="append", default=[],
        help="a user, beside root and the one that we run as, whose processes may connect",
    )  # fmt: skip
    parser.add_argument(
        "--contexts", metavar="N", type=_count, default=CONTEXTS,
        help="how many contexts there can be of each kind (%(default)s; generation 1: at most 100)",
    )  # fmt: skip
    parser.add_argument(
        "--rpc", type=int, choices=(1, 2), default=2,
        help="generation of the protocol (2); 1 is for strongSwan's charon-tkm, which protects IKE "
        "messages by itself and gets the keys for it",
    )  # fmt: skip
    parser.add_argument(
        "--expose-ike-keys", metavar="FILE",
        help="in a lab alone: write the keys of all IKE SAs there, for Wireshark; whoever reads it "
        "reads and forges IKE messages; refused unless TKM_KEYS_ARE_WORTHLESS=yes",
    )  # fmt: skip
    parser.add_argument(
        "--log", metavar="WHERE", default=logs.STDERR, help="stderr, syslog or a file"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise argparse.ArgumentTypeError(f"'{text}' is no mode such as 660")
    return mode


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number < 1 << 32:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 up")
    return number


def _user(text: str) -> int:
    try:
        return int(text) if text.isdecimal() else pwd.getpwnam(text).pw_uid
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no user '{text}'") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not start, 2 wrong use."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        logs.to(arguments.log, program=parser.prog)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {arguments.log}: {error.strerror}\n")
    memory.protect()
    log.info("Trusted Key Manager (TKM) starting (%s)", VERSION)
    try:
        config = conf.load(arguments.config)
        manager = KeyManager(
            config,
            private_keys=load_private_keys(arguments.keys, config.local_identities),
            anchors=load_anchors(arguments.ca),
            kernel=XfrmKernel(),
            limit=arguments.contexts,
        )
        if arguments.expose_ike_keys:
            from tkm.expose import Exposure  # where nobody asks for it, it is not even there

            manager.observe_ike_keys(Exposure(arguments.expose_ike_keys).of)
        users = {0, os.getuid(), *arguments.allow_user}
        dispatcher = _dispatcher(manager, arguments.rpc)
        serve(manager, dispatcher, arguments.socket, arguments.socket_mode, users)
    except (ConfigError, KernelError) as error:
        log.critical("%s", error)
        return 1
    except OSError as error:
        log.critical("%s: %s", arguments.socket, error.strerror)
        return 1
    return 0


def _dispatcher(manager: KeyManager, generation: int) -> Dispatcher:
    if generation == 2:
        return manager.dispatcher()
    from tkm.generation1 import Generation1  # its table need not be made where nobody asks for it

    return Generation1(manager).dispatcher()


def serve(
    manager: KeyManager, dispatcher: Dispatcher, path: str, mode: int, users: Container[int]
) -> None:
    """Serve at ``path`` until a signal comes; then leave nothing behind.

    :param dispatcher: what answers for the manager.
    :param mode: permissions of the socket.
    :param users: ids of the users whose processes may connect.
    :raises KernelError: the kernel does not let us.
    :raises OSError: nothing can be served there.
    """
    with Reactor(logs.reopen, manager.count_contexts) as reactor:
        # The name is taken first: a second TKM must not flush what the first has installed.
        server = Server(
            path,
            dispatcher,
            reactor.selector,
            mode=mode,
            allowed=lambda pid, uid, gid: uid in users,
        )
        try:
            manager.start()
            notify.tell("READY=1")
            reactor.run()
        finally:
            notify.tell("STOPPING=1")
            server.close()
            manager.stop()
    log.info("Trusted Key Manager (TKM) stopped")


if __name__ == "__main__":
    sys.exit(main())
