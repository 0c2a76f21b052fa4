# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of certificates: which are equal (RFC 5280, 7.1), and which a CA permits (4.2.1.10)."""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final
from unicodedata import normalize

from cryptography import x509
from cryptography.x509.oid import NameOID

from tkm.certs import extensions
from tkm.errors import CertificateError

MOST_COMPARISONS: Final = 1 << 16
"""Of a name with a constraint, in one path: thousands of both are no accident."""
_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?([^/?#@:\[\]]+)(?::\d*)?(?:[/?#].*)?")
"""A URI with a host (RFC 3986, 3.2), in lower case."""

CanonicalName = tuple[frozenset[tuple[str, str | bytes]], ...]


def canonical(name: x509.Name) -> CanonicalName:
    """A name so that names are equal if they compare equal.

    Case, spaces at the ends and how many there are between words do not count, nor does the string
    type. It is stringprep (RFC 4518) but for characters that nobody sees.
    """
    return tuple(
        frozenset((part.oid.dotted_string, _canonical_value(part.value)) for part in rdn)
        for rdn in name.rdns
    )


def _canonical_value(value: str | bytes) -> str | bytes:
    if isinstance(value, bytes):
        return value
    return " ".join(normalize("NFKC", value).casefold().split())


def equal(one: x509.Name, other: x509.Name) -> bool:
    """The names compare equal."""
    return one == other or canonical(one) == canonical(other)


class NameConstraints:
    """The name constraints of the CAs of a path, the trust anchor's included."""

    def __init__(self) -> None:
        self._found: list[x509.NameConstraints] = []
        self._comparisons = 0

    def add(self, issuer: x509.Certificate) -> None:
        """From here on names are as this CA says, too."""
        if value := extensions.find(issuer, x509.NameConstraints):
            self._found.append(value)

    def check(self, certificate: x509.Certificate) -> None:
        """Check all names of a certificate.

        :raises CertificateError: one is excluded or not permitted, or cannot be compared.
        """
        for name in _names(certificate) if self._found else ():
            for constraints in self._found:
                permitted = self._comparable(name, constraints.permitted_subtrees)
                if permitted and not any(_within(name, base) for base in permitted):
                    raise CertificateError(f"a CA does not permit the name {_shown(name)}")
                excluded = self._comparable(name, constraints.excluded_subtrees)
                if any(_within(name, base) for base in excluded):
                    raise CertificateError(f"a CA excludes the name {_shown(name)}")

    def _comparable(
        self, name: x509.GeneralName, subtrees: list[x509.GeneralName] | None
    ) -> list[x509.GeneralName]:
        """Those of the name's own type."""
        self._comparisons += len(subtrees or ())
        if self._comparisons > MOST_COMPARISONS:
            raise CertificateError("the path has too many names and name constraints")
        return [base for base in subtrees or () if type(base) is type(name)]


def _names(certificate: x509.Certificate) -> Iterator[x509.GeneralName]:
    """All names of a certificate: its subject, and e-mail addresses in it if nowhere else."""
    subject = certificate.subject
    if subject.rdns:
        yield x509.DirectoryName(subject)
    names = extensions.find(certificate, x509.SubjectAlternativeName)
    if names is not None:
        yield from names
    else:
        for part in subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            yield x509.RFC822Name(str(part.value))


def _within(name: x509.GeneralName, base: x509.GeneralName) -> bool:
    """A name is in a subtree of its own type.

    :raises CertificateError: names of this type are not compared, or the name is malformed.
    """
    within = _WITHIN.get(type(name))
    if within is None:
        raise CertificateError(f"a CA constrains names of type {type(name).__name__}")
    return within(name.value, base.value)


def _directory_name(name: x509.Name, base: x509.Name) -> bool:
    start = canonical(base)
    return canonical(name)[: len(start)] == start


def _domain(name: str, base: str) -> bool:
    """A domain or one below it; an empty base means all."""
    if name.startswith("."):
        raise CertificateError(f"'{name}' is not a domain, and a CA constrains it")
    name, base = name.lower(), base.lower()
    return not base or name == base or name.endswith(f".{base}")


def _mailbox(name: str, base: str) -> bool:
    """An address, all of a host, or all of a domain's hosts (with a leading dot)."""
    user, _, host = name.rpartition("@")
    if not (user and host) or "@" in user:
        raise CertificateError(f"'{name}' is not an e-mail address, and a CA constrains it")
    wanted, at, base_host = base.rpartition("@")
    return _host(host, base_host) and (not at or user == wanted)


def _uri(name: str, base: str) -> bool:
    """The URI's host, as for e-mail addresses; it must be a name."""
    found = _HOST.fullmatch(name.lower())
    if not found or found[1].replace(".", "").isdigit():
        raise CertificateError(f"the URI '{name}' has no host's name, and a CA constrains it")
    return _host(found[1], base)


def _host(name: str, base: str) -> bool:
    name, base = name.lower(), base.lower()
    return name.endswith(base) if base.startswith(".") else name == base


def _address(name: Any, base: IPv4Network | IPv6Network) -> bool:
    return name in base


def _shown(name: x509.GeneralName) -> str:
    value = name.value
    return f"'{value.rfc4514_string() if isinstance(value, x509.Name) else value}'"


_WITHIN: Final[dict[type[x509.GeneralName], Callable[[Any, Any], bool]]] = {
    x509.DirectoryName: _directory_name,
    x509.DNSName: _domain,
    x509.IPAddress: _address,
    x509.RFC822Name: _mailbox,
    x509.UniformResourceIdentifier: _uri,
}
"""How names of each type are compared."""
