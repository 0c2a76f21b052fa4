# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that ask what there is: SAs, connections, policies, certificates."""

from collections.abc import Iterable, Iterator

from ike.address import Network
from ike.config.model import ChildConfig, Connection
from ike.sa import selectors
from ike.vici import names, sas
from ike.vici.answers import Stream, is_set, value
from ike.vici.control import Control
from ike.vici.message import Section, text
from ike.vici.selection import Selection
from ike.x509 import Certificate


def list_sas(control: Control, request: Section) -> Stream:
    """IKE SAs with their Child SAs. (Nothing is ever locked, so ``noblock`` is always met.)"""
    wanted = Selection.of(request)
    chosen = wanted.ike_sas(control.engine)
    now = control.clock()
    return Stream("list-sa", (sas.whole(sa, wanted.children(sa), now) for sa in chosen))


def list_conns(control: Control, request: Section) -> Stream:
    """Connections, wherever they came from."""
    name = value(request, "ike")
    port = str(control.service.port)
    chosen = [each for each in control.configuration.connections if name in ("", each.name)]
    return Stream("list-conn", ({each.name: _connection(each, port)} for each in chosen))


def _connection(connection: Connection, port: str) -> Section:
    return {
        "local_addrs": list(connection.local_addrs),
        "remote_addrs": list(connection.remote_addrs),
        "local_port": port,
        "remote_port": port,
        "version": "IKEv2",
        "reauth_time": "0",
        "rekey_time": str(int(connection.rekey_time)),
        "dpd_delay": str(int(connection.dpd_delay)),
        "local-1": {
            "class": "public key",
            "id": str(connection.local_id),
            "certs": [names.subject(each.der) for each in connection.certificates[:1]],
        },
        "remote-1": {"class": "public key", "id": str(connection.remote_id)},
        "children": {child.name: _child(child) for child in connection.children},
    }


def _child(child: ChildConfig) -> Section:
    """A Child SA's configuration; its lifetimes are not ours but the TKM's."""
    return {
        "mode": child.mode.name,
        "rekey_time": "0",
        "rekey_bytes": "0",
        "rekey_packets": "0",
        **_traffic(child),
    }


def _traffic(child: ChildConfig) -> Section:
    return {"local-ts": _networks(child.local_ts), "remote-ts": _networks(child.remote_ts)}


def _networks(networks: Iterable[Network] | None) -> list[str]:
    if networks is None:
        return ["dynamic"]
    return selectors.spell(selectors.configured(tuple(networks), "")).split()


def list_policies(control: Control, request: Section) -> Stream:
    """Policies that raise Child SAs. The TKM has others neither for drop nor for pass."""
    wanted = is_set(request, "trap")
    name, ike = value(request, "child"), value(request, "ike")
    chosen = [
        (connection.name, child)
        for connection in control.configuration.connections
        for child in connection.children
        if wanted and "trap" in child.start_action.split("|")
        if name in ("", child.name) and ike in ("", connection.name)
    ]
    return Stream("list-policy", (_policy(*each) for each in chosen))


def _policy(connection: str, child: ChildConfig) -> Section:
    return {
        f"{connection}/{child.name}": {
            "child": child.name,
            "ike": connection,
            "mode": child.mode.name,
            **_traffic(child),
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
        ({each: {"cacert": names.subject(ca.certificate.der)}} for each, ca in chosen),
    )
