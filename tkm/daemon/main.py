# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_keymanager: the Trusted Key Manager as a program."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tkm import VERSION, sandbox
from tkm.config.policy import HIGHEST_IN_GENERATION_1
from tkm.core.manager import CONTEXTS, KeyManager
from tkm.daemon import logs, memory, reload
from tkm.daemon.reactor import Reactor
from tkm.errors import ConfigError, KernelError
from tkm.rpc import systemd
from tkm.rpc.listener import check_unserved
from tkm.rpc.paths import IKE_SOCKET, prepare
from tkm.rpc.server import Dispatcher, Server, describe_fault
from tkm.sandbox import calls, privileges
from tkm.sandbox.reader import Reader
from tkm.xfrm.kernel import XfrmKernel

log = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tkm_keymanager",
        description="Keep the keys of IKEv2 and ESP, and install policies and states in the "
        "kernel, for an IKE daemon that is not trusted.",
    )
    parser.add_argument(
        "-c", dest="config", metavar="TKM.CONF", type=Path,
        help="what is allowed; tkm_cfgtool writes it",
    )  # fmt: skip
    parser.add_argument(
        "-k", dest="keys", metavar="KEY.DER[:ID][,…]",
        help="RSA private keys of this host, and of which local identity each one is",
    )  # fmt: skip
    parser.add_argument(
        "-r", dest="ca", metavar="CA.DER[:ID][,…]",
        help="certificates of trusted CAs, and the numbers that the IKE daemon calls them by",
    )  # fmt: skip
    parser.add_argument(
        "--crls", metavar="CRL.DER[,…]",
        help="certificate revocation lists, and certificates of keys that sign them for a CA; with "
        "any, each certificate of a peer and its CAs needs a fresh CRL of its issuer",
    )  # fmt: skip
    parser.add_argument(
        "--socket", metavar="PATH", default=IKE_SOCKET, help="where to serve (%(default)s)"
    )
    parser.add_argument(
        "--socket-mode", metavar="MODE", type=_mode, default=0o600,
        help="permissions of the socket, octal (600)",
    )  # fmt: skip
    parser.add_argument(
        "--allow-user", metavar="USER", type=privileges.user_id, action="append", default=[],
        help="a user, beside root and the one that we run as, whose processes may connect",
    )  # fmt: skip
    parser.add_argument(
        "--user", metavar="USER", type=privileges.user,
        help="become this user once all files are read and the socket is there; capabilities but "
        "CAP_NET_ADMIN go in any case",
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
        "--flush-on-exit", action="store_true",
        help="remove the policies at an orderly stop: traffic is plain from then on (the default "
        "is that they stay, and what they cover is held back)",
    )  # fmt: skip
    parser.add_argument(
        "--flush", action="store_true",
        help="remove all policies and states of this host, and end: traffic is plain from then on",
    )  # fmt: skip
    parser.add_argument(
        "--log", metavar="WHERE", default=logs.STDERR, help="stderr, syslog or a file"
    )
    sandbox.add_option(parser)
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not go on, 2 wrong use."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if not (arguments.flush or (arguments.config and arguments.keys and arguments.ca)):
        parser.error("the following arguments are required: -c, -k, -r")
    try:
        logs.to(arguments.log, program=parser.prog)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {arguments.log}: {error.strerror}\n")
    try:
        if arguments.flush:
            XfrmKernel().flush()
        else:
            _run(arguments)
    except (ConfigError, KernelError) as error:
        log.critical("%s", error)
        return 1
    except OSError as error:
        log.critical("%s: %s", error.filename or arguments.socket, error.strerror)
        return 1
    except Exception as error:  # a traceback could show secrets
        log.critical("unexpected: %s", describe_fault(error))
        return 1
    return 0


def _run(arguments: argparse.Namespace) -> None:
    """Protect what the configuration says, then serve until a signal comes.

    The policies are installed before anything else can fail, unless another Key Manager serves the
    socket or this kernel: its policies are in force. Whatever ends the program from then on, they
    stay.

    :raises ConfigError: a file or an option is not usable.
    :raises KernelError: the kernel does not let us.
    :raises OSError: nothing can be served.
    """
    log.info("Trusted Key Manager (TKM) starting (%s)", VERSION)
    with reload.reader(arguments) as reader:  # forked before there is a secret
        memory.protect()
        manager = _start(arguments)
        _serve(manager, arguments, reader)
    log.info("Trusted Key Manager (TKM) stopped")


def _start(arguments: argparse.Namespace) -> KeyManager:
    """Protect what the configuration says, then read the keys.

    :raises ConfigError: a file or an option is not usable.
    :raises KernelError: the kernel does not let us.
    :raises OSError: the socket is served.
    """
    config = reload.config(arguments)
    limit = arguments.contexts
    if arguments.rpc == 1:
        limit = min(limit, HIGHEST_IN_GENERATION_1)  # each policy has its share of these
    users = {0, os.geteuid(), _own_user(arguments)}
    check_unserved(arguments.socket, users)
    kernel = XfrmKernel()
    kernel.claim(users)
    kernel.protect(config.policies.values())
    rules = reload.rules(arguments, config)
    manager = KeyManager(
        config,
        rules.keys,
        rules.anchors,
        kernel=kernel,
        limit=limit,
        revocation=rules.revocation,
    )
    if arguments.expose_ike_keys:
        from tkm.daemon.expose import Exposure  # where nobody asks for it, it is not even there

        manager.observe_ike_keys(Exposure(arguments.expose_ike_keys).of)
    return manager


def _own_user(arguments: argparse.Namespace) -> int:
    """The user that we run as once we serve."""
    return int(arguments.user.uid if arguments.user else os.getuid())


def _dispatcher(manager: KeyManager, generation: int) -> Dispatcher:
    if generation == 2:
        return manager.dispatcher()
    from tkm.generation1.translation import (
        Generation1,  # its table need not be made where nobody asks for it
    )

    return Generation1(manager).dispatcher()


def _serve(manager: KeyManager, arguments: argparse.Namespace, reader: Reader) -> None:
    """Serve until a signal comes; then leave no secret behind.

    :raises KernelError: the kernel does not let us.
    :raises OSError: nothing can be served there.
    """
    users = {0, _own_user(arguments), *arguments.allow_user}
    dispatcher = _dispatcher(manager, arguments.rpc)

    def on_hangup() -> None:
        logs.reopen()
        reload.reload(manager, arguments, reader.open)

    with Reactor(on_hangup, manager.count_contexts) as reactor:
        prepare(arguments.socket, "--socket")
        # The name is taken first: a second TKM must not remove what the first has installed.
        server = Server(
            arguments.socket,
            dispatcher,
            reactor.selector,
            mode=arguments.socket_mode,
            allowed=lambda pid, uid, gid: uid in users,
        )
        is_orderly = False
        try:
            manager.start()
            _confine(arguments)
            systemd.notify("READY=1")
            reactor.run(logs.limiter.patience)
            is_orderly = True
        finally:
            systemd.notify("STOPPING=1")
            server.close()
            manager.stop(flush=arguments.flush_on_exit and is_orderly)


def _confine(arguments: argparse.Namespace) -> None:
    """Give up all that was needed for the start alone.

    :raises OSError: the kernel refuses.
    """
    kept = privileges.NET_ADMIN, *memory.capabilities()
    log.info("Running as %s", privileges.give_up(arguments.user, *kept))
    privileges.forbid_dumps()
    systemd.connect()
    allowed = calls.DAEMON | calls.reopening(logs.open_flags())
    log.info("Sandbox %s", sandbox.enter(arguments.sandbox, allowed))


if __name__ == "__main__":
    sys.exit(main())
