# SPDX-License-Identifier: GPL-2.0-or-later
"""``swanctl.conf`` (swanctl.conf(5)), as far as ``tkm_cfgtool`` writes it and tkm_iked can do it.

What we cannot do is refused with its line, rather than passed over: a setting that silently does
nothing is worse than none.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ike.config import proposals, values
from ike.config.certificates import authorities_in, certificate, is_root, issuers_of
from ike.config.files import Files
from ike.config.model import Authority, ChildConfig, Configuration, Connection, Mode
from ike.config.section import Entry, Section
from ike.config.settings import parse
from ike.errors import ConfigError
from ike.message.numbers import Protocol
from ike.x509 import Certificate

T = TypeVar("T")

_LIFETIMES = ("time", "bytes", "packets")
_IKE_REKEY_TIME = 14400.0
_LIFE = 1.1
"""Lifetime of a Child SA in rekey times, unless it is given."""
_START_ACTION = values.one_of("none", "trap", "start", "trap|start")

_MOST_CERTIFICATES = 60_000
"""Octets of our certificates: a message has 65,535 at most, and there are other payloads in it."""

_ELSEWHERE = {
    "secrets": "private keys are given with -k to tkm_keymanager, and to nobody else",
    "pools": "there are no virtual addresses",
}
"""Where that is configured which other sections of the file would."""

_FIXED: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "connection": {
        "version": (("2",), "IKEv1 is not supported"),
        "unique": (("no",), "the TKM's policies decide who may be connected"),
        "local_port": (("500",), "another one is an option of tkm_iked, --port"),
        "remote_port": (("500",), "another one is an option of tkm_iked, --port"),
        "mobike": (values.FALSE, "addresses are the policy's"),
        "send_cert": (("always",), "the certificate is sent always"),
        "send_certreq": (values.TRUE, "the peer's certificate is asked for always"),
        "keyingtries": (("1",), "traffic or --initiate begins anew"),
        "vips": (("",), "there are no virtual addresses"),
        "pools": (("",), "there are no virtual addresses"),
    },
    "local": {"auth": (("pubkey",), "the TKM signs")},
    "remote": {"auth": (("pubkey",), "the TKM verifies signatures")},
    "child": {},
}
"""Settings that have one meaning here: the values that say so, and why there is no other."""

_KNOWN: dict[str, tuple[set[str], set[str]]] = {
    "": (set(), {"connections", "authorities", "secrets", "pools"}),
    "connection": (
        {"local_addrs", "remote_addrs", "proposals"}
        | {"rekey_time", "reauth_time", "over_time", "rand_time", "dpd_delay"}
        | {"fragmentation", "encap"},
        {"local", "remote", "children"},
    ),
    "authority": ({"cacert"}, set()),
    "local": ({"certs", "id", "identity_id"}, set()),
    "remote": ({"id"}, set()),
    "child": (
        {"reqid", "mode", "esp_proposals", "start_action", "close_action", "dpd_action"}
        | {"local_ts", "remote_ts"}
        | {f"{what}_{unit}" for what in ("life", "rekey", "rand") for unit in _LIFETIMES},
        set(),
    ),
}
"""Other keys, and sections, that each kind of section may have. Lifetimes of Child SAs are the
TKM's business, and `expire` events report them; here they are only shown."""


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
    root = parse(_text(files, path), str(path), partial(_included, files), _KNOWN[""][1])
    reader.check(root, "")
    section = root.sections.pop("connections", Section("connections", 1, str(path)))
    if section.values:
        raise reader.error(section, f"{next(iter(section.values))} is not in a connection")
    named_authorities = root.sections.pop("authorities", Section("authorities", 1, str(path)))
    for other in root.sections.values():
        if other.values or other.sections:
            raise reader.error(other, f"{other.name}: {_ELSEWHERE[other.name]}")
    connections = tuple(map(reader.connection, section.sections.values()))
    try:
        check_reqids(connections)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    cas = [Authority(number, certificate(file, files)) for file, number in authorities]
    if not cas:
        cas = [_only_authority(folder, reader.issuers)]
    for named in named_authorities.sections.values():
        reader.authority(named, [ca.certificate for ca in cas])
    return Configuration(connections, tuple(cas), tuple(reader.issuers))


def _text(files: Files, path: Path) -> str:
    return files.read(path).decode("utf-8", "replace")


def _included(files: Files, pattern: str, source: str) -> Iterator[tuple[str, str]]:
    """Names and texts of the files that ``source`` includes."""
    for path in files.matching(Path(source).parent / pattern):
        yield str(path), _text(files, path)


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
        return ConfigError(f"{where.source or self._path}:{where.line}: {reason}")

    def certificate(self, name: str) -> Certificate:
        """The certificate that a configuration calls ``name``."""
        return certificate(self._path.parent / "x509" / name, self._files)

    def check(self, section: Section, kind: str) -> None:
        """Refuse what a section of this kind cannot have."""
        keys, sections = _KNOWN[kind]
        fixed = _FIXED.get(kind, {})
        for key, entry in section.values.items():
            if key not in keys and key not in fixed:
                raise self.error(entry, f"{key} is not supported in {section.name or 'the file'}")
        for inner in section.sections.values():
            if _without_round(inner.name) not in sections:
                raise self.error(inner, f"section {inner.name} is not supported here")
        for key, (allowed, reason) in fixed.items():
            given = self.value(section, key, str.lower, allowed[0])
            if given not in allowed:
                one = f"only {allowed[0]}" if allowed[0] else "nothing"
                raise self.error(
                    section.values[key], f"{key}: {given!r} is not supported, {one}: {reason}"
                )

    def value(self, section: Section, key: str, read: Callable[[str], T], default: T | None) -> T:
        """The value of a key; the default of ``None`` is none."""
        entry = section.values.get(key)
        if entry is None or entry.cleared:
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
        entry = section.values.get(key)
        return None if entry is None or entry.cleared else self.need(section, key, read)

    def authority(self, section: Section, trusted: Collection[Certificate]) -> None:
        """Check a CA that has a name: it is one that the TKM trusts.

        Raises:
            ConfigError: It is not.
        """
        self.check(section, "authority")
        name = self.need(section, "cacert", str)
        if certificate(self._path.parent / "x509ca" / name, self._files) not in trusted:
            reason = "is not among the TKM's CAs; give it to tkm_keymanager and tkm_iked with -r"
            raise self.error(section.values["cacert"], f"cacert: {name} {reason}")

    def connection(self, section: Section) -> Connection:
        """A connection.

        Raises:
            ConfigError: Something cannot be used.
        """
        self.check(section, "connection")
        local, remote = self._side(section, "local"), self._side(section, "remote")
        children = section.sections.get("children", Section("children", section.line))
        if not children.sections:
            raise self.error(section, f"{section.name} has no children")
        certificates = self._certificates(local)
        reauth_time = self.value(section, "reauth_time", values.seconds, 0.0)
        return Connection(
            name=section.name,
            local_addrs=self.need(section, "local_addrs", values.addresses),
            remote_addrs=self.need(section, "remote_addrs", values.addresses),
            proposals=self._suites(section, "proposals", Protocol.IKE),
            local_id=self.need(local, "id", values.identity),
            remote_id=self.need(remote, "id", values.identity),
            certificates=certificates,
            children=tuple(map(self._child, children.sections.values())),
            reauth_time=reauth_time,
            rekey_time=self.value(
                section, "rekey_time", values.seconds, 0.0 if reauth_time else _IKE_REKEY_TIME
            ),
            over_time=self._optional(section, "over_time", values.seconds),
            rand_time=self._optional(section, "rand_time", values.seconds),
            dpd_delay=self.value(section, "dpd_delay", values.seconds, 0.0),
            fragmentation=self.value(section, "fragmentation", values.is_yes, True),
            encap=self.value(section, "encap", values.is_yes, False),
            local_number=self.value(local, "identity_id", values.number, 1),
        )

    def _certificates(self, local: Section) -> tuple[Certificate, ...]:
        """Ours, with the intermediate CAs; all of them go into one message."""
        own = tuple(map(self.certificate, self.need(local, "certs", values.words)))
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
        """What is to be known of us, or of the peer."""
        rounds = [each for each in section.sections.values() if _without_round(each.name) == name]
        if not rounds:
            raise self.error(section, f"{section.name} has no section {name}")
        if len(rounds) > 1:
            raise self.error(rounds[1], f"{rounds[1].name}: one authentication is supported")
        self.check(rounds[0], name)
        return rounds[0]

    def _suites(
        self, section: Section, key: str, protocol: Protocol
    ) -> tuple[proposals.Suite, ...]:
        def read(text: str) -> tuple[proposals.Suite, ...]:
            return values.few(proposals.parse(text, protocol))

        return self.value(section, key, read, read("default"))

    def _child(self, section: Section) -> ChildConfig:
        self.check(section, "child")
        for what in ("life", "rekey", "rand"):
            for unit in ("bytes", "packets"):
                self._optional(section, f"{what}_{unit}", values.count)
        self._optional(section, "rand_time", values.seconds)
        rekey_time = self.value(section, "rekey_time", values.seconds, 0.0)
        return ChildConfig(
            name=section.name,
            reqid=self.need(section, "reqid", values.number),
            mode=Mode(self.value(section, "mode", values.one_of("transport", "tunnel"), "tunnel")),
            proposals=self._suites(section, "esp_proposals", Protocol.ESP),
            local_ts=self.value(section, "local_ts", values.networks, values.DYNAMIC) or None,
            remote_ts=self.value(section, "remote_ts", values.networks, values.DYNAMIC) or None,
            start_action=self.value(section, "start_action", _START_ACTION, "none"),
            rekey_time=rekey_time,
            life_time=self.value(section, "life_time", values.seconds, rekey_time * _LIFE),
            dpd_action=self.value(section, "dpd_action", values.action, "none"),
            close_action=self.value(section, "close_action", values.action, "none"),
        )


def _without_round(name: str) -> str:
    """What a section describes: `local-eap` and `local2` are rounds of `local`."""
    return next((side for side in ("local", "remote") if name.startswith(side)), name)
