# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock strongSwan: charon with a key of its own, as the foreign peer. No TKM, and no proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from lab.build.backends import charon
from lab.build.backends.model import Argv, Backend, Daemon, find
from lab.build.files import FOLDER, SWANCTL_CONF, File
from lab.topology import Node, Policy, Topology
from tkm_cfgtool.proposals import ESP_PROPOSALS_WITH_ESN, IKE_PROPOSALS

if TYPE_CHECKING:
    from lab.pki import CA, Identity

_DAEMONS = ("charon-systemd", "charon")
"""Both are the same daemon. The first one does without systemd, too."""
_PLUGINS = "random nonce pem pkcs1 pubkey x509 constraints kernel-netlink socket-default vici"
"""Only these are loaded, and those for cryptography: each one costs time in a guest."""

_CONNECTION = """\
  conn{id} {{
    version = 2
    local_addrs = {local}
    remote_addrs = {remote}
    proposals = {ike}
    rand_time = 0s
    local {{
      auth = pubkey
      certs = own.der
      id = {identity}
    }}
    remote {{
      auth = pubkey
      id = {peer}
    }}
    children {{
{children}    }}
  }}
"""
_CHILD = """\
      conn{id} {{
        mode = {mode}
{selectors}        esp_proposals = {esp}
        start_action = trap
        rekey_time = {soft}s
        life_time = {hard}s
        rand_time = 0s
      }}
"""


def _files(topology: Topology, node: Node, root: CA, own: Identity) -> Mapping[str, File]:
    chain = (*own.chain, root.certificate)
    return {
        charon.CONF: File(_strongswan_conf().encode()),
        SWANCTL_CONF: File(_swanctl_conf(topology, node).encode()),
        f"{FOLDER}/private/own.der": File(own.key.der, 0o600),
        f"{FOLDER}/x509/own.der": File(own.certificate.der),
        **{f"{FOLDER}/x509ca/ca{n}.der": File(ca.der) for n, ca in enumerate(chain)},
    }


def _strongswan_conf() -> str:
    return charon.settings("charon", f"  load = {charon.crypto()} {_PLUGINS}\n")


def _swanctl_conf(topology: Topology, node: Node) -> str:
    """Policies between the same two addresses with one IKE offer are children of one connection."""
    groups: dict[tuple[object, ...], list[tuple[Policy, Node]]] = {}
    for policy, peer in topology.policies_of(node.name):
        own, other = policy.seen_from(node.name)
        key = peer.name, own.address, other.seen, policy.ike
        groups.setdefault(key, []).append((policy, peer))
    connections = "".join(_connection(node, group) for group in groups.values())
    return f"connections {{\n{connections}}}\n"


def _connection(node: Node, group: Sequence[tuple[Policy, Node]]) -> str:
    """A connection, named after the first of its policies."""
    policy, peer = group[0]
    own, other = policy.seen_from(node.name)
    return _CONNECTION.format(
        id=policy.id,
        local=own.address,
        remote=other.seen,
        ike=policy.ike or IKE_PROPOSALS,
        identity=node.identity,
        peer=peer.identity,
        children="".join(_child(node, policy) for policy, _ in group),
    )


def _child(node: Node, policy: Policy) -> str:
    own, other = policy.seen_from(node.name)
    networks = (("local_ts", own.network), ("remote_ts", other.network))
    return _CHILD.format(
        id=policy.id,
        mode=policy.mode,
        selectors="".join(f"        {name} = {net}\n" for name, net in networks if net),
        esp=policy.esp or ESP_PROPOSALS_WITH_ESN,
        soft=policy.soft,
        hard=policy.hard,
    )


def _lack() -> str:
    if find(*_DAEMONS) and find("swanctl"):
        return ""
    return "strongSwan is not installed: sudo apt-get install charon-systemd strongswan-swanctl"


def _configure() -> tuple[Argv, ...]:
    return charon.furnish(find(*_DAEMONS), find("swanctl"))


def _stages() -> tuple[tuple[Daemon, ...], ...]:
    program = PurePath(find(*_DAEMONS)).name
    return ((charon.daemon("charon", f"{charon.PROGRAMS}/{program}"),),)


STRONGSWAN = Backend("strongswan", files=_files, configure=_configure, stages=_stages, lack=_lack)
