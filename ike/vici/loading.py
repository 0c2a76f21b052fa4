# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that bring connections, certificates and CAs, and those that bring what is refused.

Secrets are refused, always: private keys belong to the TKM, and this process must not see one. What
a CA may do is the TKM's decision, too: a client can name one that the TKM trusts, and no other.
"""

from collections.abc import Iterable
from pathlib import Path

from ike.config.certificates import is_root, parse_certificate
from ike.config.model import Authority, Connection
from ike.config.section import Entry
from ike.config.section import Section as Settings
from ike.config.swanctl import Reader
from ike.engine import own_keys
from ike.errors import ConfigError
from ike.vici.answers import Handler, success, value
from ike.vici.control import Control
from ike.vici.errors import Refused
from ike.vici.message import Element, Section, octets
from ike.x509 import Certificate


class _MessageReader(Reader):
    """Reads the sections of a message, which contains certificates themselves, in hexadecimal."""

    def __init__(self, issuers: Iterable[Certificate]) -> None:
        super().__init__(Path(), dict.fromkeys(issuers, Path()))

    def error(self, where: Settings | Entry, reason: str) -> ConfigError:
        return ConfigError(reason)

    def certificate(self, name: str) -> Certificate:
        return _certificate(bytes.fromhex(name))


def _certificate(data: bytes) -> Certificate:
    try:
        return parse_certificate(data)
    except ValueError as error:
        raise Refused(str(error)) from error


def _settings(name: str, section: Section) -> Settings:
    """A message's section as the configuration file would have it."""
    settings = Settings(name, 0)
    for key, element in section.items():
        if isinstance(element, dict):
            settings.sections[key] = _settings(key, element)
        else:
            settings.values[key] = Entry(_entry(key, element), 0)
    return settings


def _entry(key: str, element: str | list[str]) -> str:
    items = [element] if isinstance(element, str) else element
    if key in ("certs", "cacerts"):
        items = [octets(item).hex() for item in items]
    return ",".join(items)


def _only_section(request: Section) -> tuple[str, Section]:
    pairs = list(request.items())
    if len(pairs) == 1 and isinstance(pairs[0][1], dict):
        return pairs[0][0], pairs[0][1]
    raise Refused("one section, named after what is loaded, is needed")


def load_conn(control: Control, request: Section) -> Section:
    """Configure a connection, or another in place of the one of its name."""
    name, section = _only_section(request)
    connection = _MessageReader(control.configuration.issuers).connection(_settings(name, section))
    if control.connection(name) != connection:
        _check_reqids(control, connection)
        own_keys.check(control.engine.context.tkm, [connection])
        control.put(connection)
        control.service.start(connection)
    control.loaded_by_client(name)
    return success()


def _check_reqids(control: Control, connection: Connection) -> None:
    """Each policy of the TKM is for one Child SA."""
    reqids = [child.reqid for child in connection.children]
    if len(reqids) != len(set(reqids)):
        raise Refused(f"two children of {connection.name} share a reqid")
    for reqid in reqids:
        if other := control.owner(reqid, but=connection.name):
            raise Refused(f"{other} has reqid {reqid} already")


def unload_conn(control: Control, request: Section) -> Section:
    """Forget a connection that came from a client."""
    name = value(request, "name")
    if name not in control.loaded:
        raise Refused(f"no client has loaded a connection '{name}'")
    control.drop(name)
    control.loaded.discard(name)
    return success()


def get_conns(control: Control, _request: Section) -> Section:
    """Names of connections that came from clients; swanctl asks before it loads all of them."""
    control.begin_loading()
    return {"conns": sorted(control.loaded)}


def load_cert(control: Control, request: Section) -> Section:
    """Take a certificate, to be listed; connections and peers bring those that are used."""
    if value(request, "type").upper() != "X509":
        raise Refused("only certificates (X509) are supported")
    certificate = _certificate(octets(value(request, "data")))
    authority = value(request, "flag").upper() == "CA"
    if authority and is_root(certificate):
        _tkm(control, certificate)
    control.certificates[certificate] = authority
    control.refresh_issuers()
    return success()


def _tkm(control: Control, certificate: Certificate) -> Authority:
    """The CA of a certificate, if the TKM trusts it."""
    for authority in control.configuration.authorities:
        if authority.certificate == certificate:
            return authority
    raise Refused("this CA is not among the TKM's; give it to tkm_keymanager and tkm_iked with -r")


def load_authority(control: Control, request: Section) -> Section:
    """Name a CA."""
    name, section = _only_section(request)
    for key in section.keys() - {"cacert"}:
        raise Refused(f"{key} is not supported in an authority")
    certificate = _certificate(octets(value(section, "cacert")))
    control.authorities[name] = _tkm(control, certificate)
    return success()


def unload_authority(control: Control, request: Section) -> Section:
    """Forget the name of a CA."""
    name = value(request, "name")
    if control.authorities.pop(name, None) is None:
        raise Refused(f"no client has loaded an authority '{name}'")
    return success()


def get_authorities(control: Control, _request: Section) -> Section:
    """Names of CAs that clients gave."""
    return {"authorities": sorted(control.authorities)}


def clear_creds(control: Control, _request: Section) -> Section:
    """Forget the certificates that clients brought."""
    control.certificates.clear()
    control.refresh_issuers()
    return success()


def nothing_to_do(_control: Control, _request: Section) -> Section:
    """For what is always as the client wants it."""
    return success()


def none_of(key: str) -> Handler:
    """For lists of what we never have."""
    empty: Element = []
    return lambda _control, _request: {key: empty}


def no_pools(_control: Control, _request: Section) -> Section:
    """The pools that there are."""
    return {}


def refuse(reason: str) -> Handler:
    """For what cannot be, and why."""

    def handler(_control: Control, _request: Section) -> Section:
        raise Refused(reason)

    return handler
