# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked beside a Trusted Key Manager. All of it comes with the lab, and starts warm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.build.backends import charon
from lab.build.backends.model import Argv, Backend, Daemon
from lab.build.files import KEY, ROOT_CA, SWANCTL_CONF, TKM_CONF, XML, File, files_of
from tkm.rpc.paths import EES_SOCKET, IKE_SOCKET

if TYPE_CHECKING:
    from lab.pki import CA, Identity
    from lab.topology import Node, Topology

ANCHOR = f"{ROOT_CA}:1"

CFGTOOL: Argv = ("tkm_cfgtool", "-c", XML, "-i", SWANCTL_CONF, "-t", TKM_CONF)
TKM_USER, IKED_USER, PROXY_USER = "61201", "61202", "61203"
"""Each daemon is a user of its own. The numbers are of systemd's range for dynamic users, so that
no person on this machine has them; hosts of a lab have no entries for them."""

_MANAGER: Argv = (
    *("tkm_keymanager", "-c", TKM_CONF, "-k", KEY, "-r", ANCHOR),
    *("--user", TKM_USER),
)
_ALLOW: Argv = ("--allow-user", IKED_USER, "--socket-mode", "666")
_DAEMON: Argv = (
    *("tkm_iked", "-c", SWANCTL_CONF, "-r", ANCHOR, "--user", IKED_USER),
    *("--server-user", TKM_USER, "--allow-user", PROXY_USER, "--warm-up"),
)
_IKED = Daemon("tkm_iked", _DAEMON, socket=EES_SOCKET)
PROXY = Daemon("xfrm_proxy", ("xfrm_proxy",), line="waiting for kernel events")
"""As root, for charon-tkm, whose socket is root's; it has no capabilities all the same."""
_OWN_PROXY = PROXY._replace(argv=(*PROXY.argv, "--user", PROXY_USER, "--server-user", IKED_USER))

EXPOSED = "/run/tkm.ike_keys"
"""Where a Key Manager writes IKE keys, if the lab is to expose them."""


def exposing_ike_keys(backend: Backend) -> Backend:
    """A back end whose Key Manager, if it has one, writes the keys of IKE for Wireshark."""

    def exposing(daemon: Daemon) -> Daemon:
        if daemon.name != "tkm_keymanager":
            return daemon
        return daemon._replace(argv=(*daemon.argv, "--expose-ike-keys", EXPOSED))

    return replace(
        backend, stages=lambda: [list(map(exposing, stage)) for stage in backend.stages()]
    )


def manager(*options: str) -> Daemon:
    """The Trusted Key Manager, with more options."""
    return Daemon("tkm_keymanager", (*_MANAGER, *options), socket=IKE_SOCKET)


def _files(topology: Topology, node: Node, root: CA, own: Identity) -> Mapping[str, File]:
    """A host's files, and what strongSwan's tools go by, where they are installed."""
    tools = File(charon.swanctl_settings().encode())
    return {**files_of(topology, node, root, own), charon.CONF: tools}


BUILTIN = Backend(
    "builtin",
    files=_files,
    configure=lambda: (CFGTOOL,),
    stages=lambda: ((manager(*_ALLOW),), (_IKED, _OWN_PROXY)),
)
