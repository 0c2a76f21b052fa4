# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies on a host's disk before its daemons start. No I/O: paths and octets.

Everything is below /etc/tkm, which is private to the node: the key that only the Key Manager may
read, the certificates that the IKE daemon sends and asks for, and the policies as XML, from which
tkm_cfgtool makes the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from lab.topology import End, Node, Policy, Topology

if TYPE_CHECKING:
    from lab.pki import CA, Identity

FOLDER = "/etc/tkm"
XML = f"{FOLDER}/config.xml"
TKM_CONF = f"{FOLDER}/tkm.conf"
SWANCTL_CONF = f"{FOLDER}/swanctl.conf"
KEY = f"{FOLDER}/key.der"
ROOT_CA = f"{FOLDER}/ca.der"
CERTIFICATES = f"{FOLDER}/x509"
CA_CERTIFICATES = f"{FOLDER}/x509ca"


class File(NamedTuple):
    """A file's octets and its mode."""

    octets: bytes
    mode: int = 0o644


def files_of(topology: Topology, node: Node, root: CA, own: Identity) -> Mapping[str, File]:
    """All files of a host, by path."""
    intermediates = {
        f"{CA_CERTIFICATES}/intermediate{number}.der": File(certificate.der)
        for number, certificate in enumerate(own.chain, 1)
    }
    return {
        KEY: File(own.key.der, 0o600),
        ROOT_CA: File(root.certificate.der),
        f"{CERTIFICATES}/{_certificate(node)}": File(own.certificate.der),
        f"{CA_CERTIFICATES}/ca.der": File(root.certificate.der),
        **intermediates,
        XML: File(_xml(topology, node).encode()),
    }


def _certificate(node: Node) -> str:
    return f"{node.name}Cert.der"


def _xml(topology: Topology, node: Node) -> str:
    policies = "".join(
        _policy_xml(node, policy, peer) for policy, peer in topology.policies_of(node.name)
    )
    return f"""\
<tkmconfig>
  <local_identity id="1">
    <identity>{escape(node.identity)}</identity>
    <certificate>{_certificate(node)}</certificate>
  </local_identity>
{policies}</tkmconfig>
"""


def _policy_xml(node: Node, policy: Policy, peer: Node) -> str:
    own, theirs = policy.seen_from(node.name)
    return f"""\
  <policy id="{policy.id}">
    <mode>{policy.mode}</mode>
    <local>
      <identity_id>1</identity_id>
      <ip>{own.address}</ip>{_net(own)}
    </local>
    <remote>
      <identity>{escape(peer.identity)}</identity>
      <ip>{theirs.seen}</ip>{_net(theirs)}{_sha1(peer)}
    </remote>
    <lifetime>
      <soft>{policy.soft}</soft>
      <hard>{policy.hard}</hard>
    </lifetime>{_proposals(policy)}
  </policy>
"""


def _sha1(peer: Node) -> str:
    """charon-tkm signs with SHA-1: generation 1 of the RPC has nothing else."""
    return "\n      <allow_sha1>true</allow_sha1>" if peer.ike == "charon-tkm" else ""


def _net(end: End) -> str:
    if end.network is None:
        return ""
    return f'\n      <net mask="{end.network.prefixlen}">{end.network.network_address}</net>'


def _proposals(policy: Policy) -> str:
    offers = (("ike", policy.ike), ("esp", policy.esp))
    inside = "".join(f"<{name}>{offer}</{name}>" for name, offer in offers if offer)
    return f"\n    <proposals>{inside}</proposals>" if inside else ""
