# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_keymanager: the Trusted Key Manager as a program."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tkm import VERSION, logs, memory
from tkm.config import conf
from tkm.errors import ConfigError, KernelError
from tkm.keys import load_anchors, load_private_key
from tkm.manager import KeyManager
from tkm.reactor import Reactor
from tkm.rpc.client import IKE_SOCKET
from tkm.rpc.server import Server
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
        "-k", dest="key", metavar="KEY.DER", type=Path, required=True,
        help="RSA private key of this host",
    )  # fmt: skip
    parser.add_argument(
        "-r", dest="ca", metavar="CA.DER[:ID][,…]", required=True,
        help="certificates of trusted CAs, and the numbers that the IKE daemon calls them by",
    )  # fmt: skip
    parser.add_argument(
        "--socket", metavar="PATH", default=IKE_SOCKET, help="where to serve (%(default)s)"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 could not start, 2 wrong use."""
    arguments = _parser().parse_args(argv)
    logs.to_stderr()
    memory.protect()
    log.info("Trusted Key Manager (TKM) starting (%s)", VERSION)
    try:
        manager = KeyManager(
            conf.load(arguments.config),
            private_key=load_private_key(arguments.key),
            anchors=load_anchors(arguments.ca),
            kernel=XfrmKernel(),
        )
        serve(manager, arguments.socket)
    except (ConfigError, KernelError) as error:
        log.critical("%s", error)
        return 1
    except OSError as error:
        log.critical("%s: %s", arguments.socket, error.strerror)
        return 1
    return 0


def serve(manager: KeyManager, path: str) -> None:
    """Serve at ``path`` until a signal comes; then leave nothing behind.

    :raises KernelError: the kernel does not let us.
    :raises OSError: nothing can be served there.
    """
    with Reactor() as reactor:
        # The name is taken first: a second TKM must not flush what the first has installed.
        server = Server(path, manager.dispatcher(), reactor.selector)
        try:
            manager.start()
            reactor.run()
        finally:
            server.close()
            manager.stop()
    log.info("Trusted Key Manager (TKM) stopped")


if __name__ == "__main__":
    sys.exit(main())
