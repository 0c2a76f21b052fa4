# SPDX-License-Identifier: GPL-2.0-or-later
"""strongSwan's own charon-tkm beside a Trusted Key Manager that speaks generation 1 of the RPC.

Whoever has built it (strongSwan 5.9.1, `--enable-tkm`) can use it; no distribution ships it. It
meets the TKM and xfrm_proxy at the original's paths, which are compiled in. Which numbers the TKM
has for key exchange methods and CAs it has to be configured, and which plugins to load: without
`load_modular` it loads a list that is built in, in which VICI is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.build.backends import builtin, charon
from lab.build.backends.model import Argv, Backend, Daemon, find
from lab.build.files import File, files_of
from lab.topology import Node, Topology
from tkm.rpc.paths import ORIGINAL_EES_SOCKET, ORIGINAL_IKE_SOCKET

if TYPE_CHECKING:
    from lab.pki import CA, Certificate, Identity

_PROGRAM = "charon-tkm"
_RPC = ("--rpc", "1")
_MANAGER = builtin.manager(*_RPC, "--socket", ORIGINAL_IKE_SOCKET)._replace(
    socket=ORIGINAL_IKE_SOCKET
)
_PROXY = builtin.PROXY._replace(argv=(*builtin.PROXY.argv, "--socket", ORIGINAL_EES_SOCKET))
_PLUGINS = "kernel-netlink pem pkcs1 random sha1 x509 socket-default openssl vici"
_MORE = """\
  load_modular = yes
  dh_mapping {{
    15 = 1
    16 = 2
  }}
  ca_mapping {{
    root {{
      id = 1
      fingerprint = {fingerprint}
    }}
  }}
"""
"""IKE's numbers for MODP-3072 and MODP-4096, and the TKM's; the one CA that the TKM trusts."""


def _files(topology: Topology, node: Node, root: CA, own: Identity) -> Mapping[str, File]:
    more = _MORE.format(fingerprint=_key_id(root.certificate))
    settings = charon.settings(_PROGRAM, more, _PLUGINS)
    return {**files_of(topology, node, root, own), charon.CONF: File(settings.encode())}


def _key_id(certificate: Certificate) -> str:
    """SHA-1 of the public key, hexadecimal (RFC 5280, section 4.2.1.2, method 1)."""
    from cryptography.x509 import SubjectKeyIdentifier  # for this alone

    return SubjectKeyIdentifier.from_public_key(certificate.x509.public_key()).digest.hex()


def _lack() -> str:
    if not find(_PROGRAM):
        return (
            "charon-tkm is not installed, and no package has it: build strongSwan 5.9.1 "
            "with --enable-tkm, and put charon-tkm into your PATH"
        )
    if not find("swanctl"):
        return "swanctl is not installed: sudo apt-get install strongswan-swanctl"
    return ""


def _configure() -> tuple[Argv, ...]:
    return ((*builtin.CFGTOOL, *_RPC), *charon.furnish(find("swanctl")))


def _stages() -> tuple[tuple[Daemon, ...], ...]:
    daemon = charon.daemon(_PROGRAM, find(_PROGRAM))
    return ((_MANAGER,), (daemon, _PROXY))


CHARON_TKM = Backend(
    "charon-tkm",
    files=_files,
    configure=_configure,
    stages=_stages,
    lack=_lack,
    does_nat_traversal=False,
)
