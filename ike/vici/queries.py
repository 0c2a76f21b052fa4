# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that ask what there is: SAs, connections, policies, certificates."""

from collections.abc import Iterable, Iterator

from ike.address import Network
from ike.config.model import Authority, ChildConfig, Connection
from ike.engine import selectors
from ike.identity import Identity
from ike.vici import names, sas
from ike.vici.answers import Stream, is_set, value
from ike.vici.control import Control
from ike.vici.message import Section, text
from ike.vici.selection import Selection
from ike.x509 import Certificate

_USUAL = "500"
_DYNAMIC = "dynamic"
"""How traffic selectors are shown that follow the addresses of the IKE SA."""


def list_sas(control: Control, request: Section) -> Stream:
    """IKE SAs with their Child SAs. (Nothing is ever locked, so ``noblock`` is always met.)"""
    wanted = Selection.of(request)
    chosen = wanted.ike_sas(control.engine)
    now = control.clock()
    return Stream("list-sa", (sas.whole(sa, wanted.children(sa), now) for sa in chosen))


def list_conns(control: Control, request: Section) -> Stream:
    """Connections, wherever they came from."""
    name = value(request, "ike")
    port = str(control.engine.context.ports.ike)
    chosen = [each for each in control.configuration.connections if name in ("", each.name)]
    return Stream("list-conn", ({each.name: _connection(each, port)} for each in chosen))


def _connection(connection: Connection, port: str) -> Section:
    ports = {} if port == _USUAL else {"local_port": port, "remote_port": port}
    return {
        "local_addrs": list(connection.local_addrs),
        "remote_addrs": list(connection.remote_addrs),
        **ports,
        "version": "IKEv2",
        "reauth_time": str(int(connection.reauth_time)),
        "rekey_time": str(int(connection.rekey_time)),
        "unique": "UNIQUE_NO",
        **({"dpd_delay": str(int(connection.dpd_delay))} if connection.dpd_delay else {}),
        "local-1": _side(connection.local_id, connection.certificates[:1]),
        "remote-1": _side(connection.remote_id, ()),
        "children": {child.name: _child(child) for child in connection.children},
    }


def _side(identity: Identity, certificates: Iterable[Certificate]) -> Section:
    nothing: Section = {"groups": [], "cert_policy": []}
    subjects = [names.subject(each.der) for each in certificates]
    return {
        "id": str(identity),
        "class": "public key",
        **nothing,
        "certs": subjects,
        "cacerts": [],
    }


def _child(child: ChildConfig) -> Section:
    return {
        "mode": child.mode.name,
        "rekey_time": str(int(child.rekey_time)),
        "rekey_bytes": "0",
        "rekey_packets": "0",
        "dpd_action": child.dpd_action,
        "close_action": child.close_action,
        "local-ts": _networks(child.local_ts, _DYNAMIC),
        "remote-ts": _networks(child.remote_ts, _DYNAMIC),
    }


def _networks(networks: tuple[Network, ...] | None, end: str) -> list[str]:
    """Traffic selectors, where those that follow an address are for that of ``end``."""
    if networks is None and end == _DYNAMIC:
        return [end]
    return selectors.spell(selectors.configured(networks, end)).split()


def list_policies(control: Control, request: Section) -> Stream:
    """Policies that raise Child SAs. The TKM has others neither for drop nor for pass."""
    wanted = is_set(request, "trap")
    name, ike = value(request, "child"), value(request, "ike")
    chosen = [
        (connection, child)
        for connection in control.configuration.connections
        for child in connection.children
        if wanted and "trap" in child.start_action.split("|")
        if name in ("", child.name) and ike in ("", connection.name)
    ]
    return Stream("list-policy", (_policy(*each) for each in chosen))


def _policy(connection: Connection, child: ChildConfig) -> Section:
    return {
        f"{connection.name}/{child.name}": {
            "child": child.name,
            "ike": connection.name,
            "mode": child.mode.name,
            "local-ts": _networks(child.local_ts, connection.local_addrs[0]),
            "remote-ts": _networks(child.remote_ts, connection.remote_addrs[0]),
        }
    }


def list_certs(control: Control, request: Section) -> Stream:
    """Certificates: ours, whose private key is the TKM's, and those of CAs."""
    kind, flag = value(request, "type", "ANY"), value(request, "flag", "ANY")
    subject = value(request, "subject")
    return Stream(
        "list-cert",
        (
            section
            for certificate, section in _certificates(control)
            if kind.upper() in ("ANY", "X509") and flag.upper() in ("ANY", section["flag"])
            if subject in ("", names.subject(certificate.der))
        ),
    )


def _certificates(control: Control) -> Iterator[tuple[Certificate, Section]]:
    connections = control.configuration.connections
    keyed = {each.certificates[0] for each in connections if each.certificates}
    ours = {each: False for connection in connections for each in connection.certificates}
    authorities = {each.certificate: True for each in control.configuration.authorities}
    for certificate, authority in (ours | control.certificates | authorities).items():
        yield (
            certificate,
            {
                "type": "X509",
                "flag": "CA" if authority else "NONE",
                **({"has_privkey": "yes"} if certificate in keyed else {}),
                "data": text(certificate.der),
            },
        )


def list_authorities(control: Control, request: Section) -> Stream:
    """CAs that clients have named."""
    name = value(request, "name")
    chosen = [pair for pair in control.authorities.items() if name in ("", pair[0])]
    return Stream(
        "list-authority",
        ({each: _authority(ca)} for each, ca in chosen),
    )


def _authority(authority: Authority) -> Section:
    subject = names.subject(authority.certificate.der)
    return {"cacert": subject, "crl_uris": [], "ocsp_uris": []}
