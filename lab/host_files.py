# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies on a host's disk before its daemons start. No I/O: paths and octets.

Everything is below /etc/tkm, which is private to the node: the key that only the Key Manager may
read, the certificates that the IKE daemon sends and asks for, and the policies as XML, from which
tkm_cfgtool makes the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from xml.sax.saxutils import escape

from lab.pki import CA
from lab.pki.authority import Identity
from lab.topology import Node, Policy, Topology

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
        f"{CA_CERTIFICATES}/intermediate{number}.pem": File(certificate.pem)
        for number, certificate in enumerate(own.chain, 1)
    }
    return {
        KEY: File(own.key.der, 0o600),
        ROOT_CA: File(root.certificate.der),
        f"{CERTIFICATES}/{_certificate(node)}": File(own.certificate.pem),
        f"{CA_CERTIFICATES}/ca.pem": File(root.certificate.pem),
        **intermediates,
        XML: File(_xml(topology, node).encode()),
    }


def _certificate(node: Node) -> str:
    return f"{node.name}Cert.pem"


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
    (link,) = [link for link in node.addresses if link in peer.addresses][:1]
    return f"""\
  <policy id="{policy.id}">
    <mode>{policy.mode}</mode>
    <local>
      <identity_id>1</identity_id>
      <ip>{node.addresses[link].ip}</ip>
    </local>
    <remote>
      <identity>{escape(peer.identity)}</identity>
      <ip>{peer.addresses[link].ip}</ip>
    </remote>
    <lifetime>
      <soft>{policy.soft}</soft>
      <hard>{policy.hard}</hard>
    </lifetime>
  </policy>
"""
