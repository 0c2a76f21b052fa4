# SPDX-License-Identifier: GPL-2.0-or-later
"""``swanctl.conf`` (swanctl.conf(5)), as far as ``tkm_cfgtool`` writes it and tkm_iked can do it.

What we cannot do is refused with its line, rather than passed over: a setting that silently does
nothing is worse than none.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from ike import address
from ike.address import Network
from ike.config import proposals
from ike.config.certificates import authorities_in, certificate, is_root, issuers_of
from ike.config.files import Files
from ike.config.model import Authority, ChildConfig, Configuration, Connection, Mode
from ike.config.settings import Entry, Section, parse
from ike.errors import ConfigError
from ike.identity import Identity
from ike.message.numbers import Protocol
from ike.x509 import Certificate

T = TypeVar("T")

_LIFETIMES = ("time", "bytes", "packets")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}

_MOST_CERTIFICATES = 60_000
"""Octets of our certificates: a message has 65,535 at most, and there are other payloads in it."""
_MOST_ITEMS = 255
"""Of traffic selectors, or proposals: one octet counts them (RFC 7296, 3.13 and 3.3.1)."""
_LONGEST_ID = 255
"""Octets of an identity; a domain name has no more (RFC 1035, 2.3.4)."""

_HIGHEST = 0xFFFFFFFF
"""Of numbers that the TKM's configuration gives: policies, which are reqids, local identities."""

_DYNAMIC: tuple[Network, ...] = ()
"""Traffic selectors that follow the addresses of the IKE SA."""

_KNOWN: dict[str, tuple[set[str], set[str]]] = {
    "": (set(), {"connections", "authorities", "secrets", "pools"}),
    "connection": (
        {"version", "local_addrs", "remote_addrs", "local_port", "remote_port", "proposals"}
        | {"rekey_time", "reauth_time", "over_time", "rand_time", "dpd_delay", "fragmentation"}
        | {"mobike", "unique", "send_cert", "send_certreq", "keyingtries", "encap"},
        {"local", "remote", "children"},
    ),
    "local": ({"auth", "certs", "id", "identity_id"}, set()),
    "remote": ({"auth", "certs", "id", "cacerts"}, set()),
    "child": (
        {"reqid", "mode", "esp_proposals", "start_action", "close_action", "dpd_action"}
        | {"local_ts", "remote_ts"}
        | {f"{what}_{unit}" for what in ("life", "rekey", "rand") for unit in _LIFETIMES},
        set(),
    ),
}
"""Keys and sections that each kind of section may have. Lifetimes of Child SAs are the TKM's
business, and `expire` events report them; here they are only shown."""


def load(
    path: Path, authorities: Sequence[tuple[Path, int]] = (), files: Files | None = None
) -> Configuration:
    """Read a ``swanctl.conf`` with the certificates in ``x509`` and ``x509ca`` next to it.

    Args:
        authorities: CA certificates, each with the number that the TKM's configuration gives it. By
            default the only root in ``x509ca``, or the only CA there: number 1.
        files: Reads the files; by default from the disk.

    Raises:
        ConfigError: Something cannot be read, or not be used.
    """
    files = files or Files()
    folder = path.parent / "x509ca"
    reader = Reader(path, authorities_in(folder, files), files)
    root = parse(files.read(path).decode("utf-8", "replace"), str(path))
    reader.check(root, "")
    section = root.sections.get("connections", Section("connections", 1))
    if section.values:
        raise reader.error(section, f"{next(iter(section.values))} is not in a connection")
    connections = tuple(map(reader.connection, section.sections.values()))
    try:
        check_reqids(connections)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    cas = [Authority(number, certificate(file, files)) for file, number in authorities]
    if not cas:
        cas = [_only_authority(folder, reader.issuers)]
    return Configuration(connections, tuple(cas), tuple(reader.issuers))


def _only_authority(folder: Path, found: Mapping[Certificate, Path]) -> Authority:
    """The one root in ``x509ca``, or the one CA."""
    roots = [each for each in found if is_root(each)] or list(found)
    if len(roots) != 1:
        raise ConfigError(
            f"{folder}: {len(roots)} CA certificates; list those of the TKM with -r ca.der:1"
        )
    return Authority(1, roots[0])


def check_reqids(connections: Iterable[Connection]) -> None:
    """Each policy of the TKM is for one Child SA.

    Raises:
        ConfigError: It is for two.
    """
    seen: dict[int, str] = {}
    for connection in connections:
        for child in connection.children:
            name = f"{connection.name}.{child.name}"
            other = seen.setdefault(child.reqid, name)
            if other != name:
                raise ConfigError(f"{other} and {name} share reqid {child.reqid}")


class Reader:
    """Turns sections into values; it has the file's path, for errors and for certificates.

    Attributes:
        issuers: The CAs that there are, and where each is from.
    """

    def __init__(
        self, path: Path, issuers: Mapping[Certificate, Path], files: Files | None = None
    ) -> None:
        self._path = path
        self._files = files or Files()
        self.issuers = issuers
        self._chains: dict[Certificate, tuple[Certificate, ...]] = {}

    def error(self, where: Section | Entry, reason: str) -> ConfigError:
        return ConfigError(f"{self._path}:{where.line}: {reason}")

    def certificate(self, name: str) -> Certificate:
        """The certificate that a configuration calls ``name``."""
        return certificate(self._path.parent / "x509" / name, self._files)

    def check(self, section: Section, kind: str) -> None:
        """Refuse what a section of this kind cannot have."""
        keys, sections = _KNOWN[kind]
        for key, entry in section.values.items():
            if key not in keys:
                raise self.error(entry, f"{key} is not supported in {section.name or 'the file'}")
        for inner in section.sections.values():
            if inner.name.partition("-")[0] not in sections:
                raise self.error(inner, f"section {inner.name} is not supported here")

    def value(self, section: Section, key: str, read: Callable[[str], T], default: T | None) -> T:
        """The value of a key; the default of ``None`` is none."""
        entry = section.values.get(key)
        if entry is None:
            if default is None:
                raise self.error(section, f"{section.name} has no {key}")
            return default
        try:
            return read(entry.value)
        except ValueError as error:
            raise self.error(entry, f"{key}: {error}") from error

    def need(self, section: Section, key: str, read: Callable[[str], T]) -> T:
        """The value of a key that has to be there."""
        return self.value(section, key, read, None)

    def _optional(self, section: Section, key: str, read: Callable[[str], T]) -> T | None:
        """The value of a key that may be missing."""
        return self.need(section, key, read) if key in section.values else None

    def connection(self, section: Section) -> Connection:
        """A connection.

        Raises:
            ConfigError: Something cannot be used.
        """
        self.check(section, "connection")
        self.value(section, "version", _one_of("2"), "2")
        self.value(section, "unique", _one_of("no"), "no")
        local, remote = self._side(section, "local"), self._side(section, "remote")
        children = section.sections.get("children", Section("children", section.line))
        if not children.sections:
            raise self.error(section, f"{section.name} has no children")
        certificates = self._certificates(local)
        reauth_time = self.value(section, "reauth_time", _seconds, 0.0)
        return Connection(
            name=section.name,
            local_addrs=self.need(section, "local_addrs", _addresses),
            remote_addrs=self.need(section, "remote_addrs", _addresses),
            proposals=self.need(section, "proposals", _suites(Protocol.IKE)),
            local_id=self.need(local, "id", _identity),
            remote_id=self.need(remote, "id", _identity),
            certificates=certificates,
            children=tuple(map(self._child, children.sections.values())),
            reauth_time=reauth_time,
            rekey_time=self.value(section, "rekey_time", _seconds, 0.0 if reauth_time else 14400.0),
            over_time=self._optional(section, "over_time", _seconds),
            rand_time=self._optional(section, "rand_time", _seconds),
            dpd_delay=self.value(section, "dpd_delay", _seconds, 0.0),
            fragmentation=self.value(section, "fragmentation", _is_yes, True),
            encap=self.value(section, "encap", _is_yes, False),
            local_number=self.value(local, "identity_id", _number, 1),
        )

    def _certificates(self, local: Section) -> tuple[Certificate, ...]:
        """Ours, with the intermediate CAs; all of them go into one message."""
        own = tuple(map(self.certificate, self.need(local, "certs", _words)))
        chain = self._with_issuers(own)
        octets = sum(len(each.der) for each in chain)
        if octets > _MOST_CERTIFICATES:
            reason = f"{octets} octets do not fit an IKE message, which has room for"
            raise self.error(local, f"certs: {reason} {_MOST_CERTIFICATES}; use smaller ones")
        return chain

    def _with_issuers(self, own: tuple[Certificate, ...]) -> tuple[Certificate, ...]:
        """Our certificates, then those of the CAs that have issued the first one."""
        if own[0] not in self._chains:
            self._chains[own[0]] = tuple(issuers_of(own[0], self.issuers))
        return tuple(dict.fromkeys((*own, *self._chains[own[0]])))

    def _side(self, section: Section, name: str) -> Section:
        side = section.sections.get(name)
        if side is None:
            raise self.error(section, f"{section.name} has no section {name}")
        self.check(side, name)
        self.value(side, "auth", _one_of("pubkey"), "pubkey")
        return side

    def _child(self, section: Section) -> ChildConfig:
        self.check(section, "child")
        return ChildConfig(
            name=section.name,
            reqid=self.need(section, "reqid", _number),
            mode=Mode(self.value(section, "mode", _one_of("transport", "tunnel"), "tunnel")),
            proposals=self.need(section, "esp_proposals", _suites(Protocol.ESP)),
            local_ts=self.value(section, "local_ts", _networks, _DYNAMIC) or None,
            remote_ts=self.value(section, "remote_ts", _networks, _DYNAMIC) or None,
            start_action=self.value(
                section, "start_action", _one_of("none", "trap", "start", "trap|start"), "none"
            ),
            rekey_time=self.value(section, "rekey_time", _seconds, 0.0),
            life_time=self.value(section, "life_time", _seconds, 0.0),
            dpd_action=self.value(section, "dpd_action", _action, "none"),
            close_action=self.value(section, "close_action", _action, "none"),
        )


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(","))
    if not all(words):
        raise ValueError("empty")
    return words


def _one_of(*values: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is not supported, only {', '.join(values)}")
        return text

    return read


def _action(text: str) -> str:
    """What is left of an action where the TKM's policies are traps, always."""
    return "trap" if _one_of("none", "clear", "trap")(text) == "trap" else "none"


def _is_yes(text: str) -> bool:
    return _one_of("yes", "no")(text) == "yes"


def _suites(protocol: Protocol) -> Callable[[str], tuple[proposals.Suite, ...]]:
    return lambda text: _few(proposals.parse(text, protocol))


def _few(items: tuple[T, ...]) -> tuple[T, ...]:
    if len(items) > _MOST_ITEMS:
        raise ValueError(f"{len(items)} are too many, {_MOST_ITEMS} are possible")
    return items


def _identity(text: str) -> Identity:
    identity = Identity.parse(text)
    if not 1 <= len(identity.data) <= _LONGEST_ID:
        raise ValueError(f"{len(identity.data)} octets are not 1 to {_LONGEST_ID}")
    return identity


def _addresses(text: str) -> tuple[str, ...]:
    if "%" in text:
        raise ValueError(f"{text}: not an address without a zone (%)")
    return tuple(address.unpack(address.pack(word)) for word in _words(text))


def _networks(text: str) -> tuple[Network, ...]:
    if "%" in text:
        raise ValueError(f"{text}: not an address without a zone (%)")
    return _DYNAMIC if text == "dynamic" else _few(tuple(map(Network.parse, _words(text))))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _HIGHEST:
        raise ValueError(f"{text!r} is not 1 to {_HIGHEST}")
    return int(text)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)\s*([smhd]?)", text, re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a time, such as 7200s or 2h")
    return float(match[1]) * _UNITS[match[2]]
