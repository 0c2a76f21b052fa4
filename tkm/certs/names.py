# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of certificates: which are equal (RFC 5280, 7.1), and which a CA permits (4.2.1.10)."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


_Bases = Mapping[type[x509.GeneralName], Sequence[Any]]
"""Of subtrees, by the type of their names."""


class NameConstraints:
    """The name constraints of the CAs of a path, the trust anchor's included."""

    def __init__(self) -> None:
        self._found: list[tuple[_Bases, _Bases]] = []
        self._comparisons = 0

    def add(self, issuer: x509.Certificate) -> None:
        """From here on names are as this CA says, too."""
        if value := extensions.find(issuer, x509.NameConstraints):
            subtrees = value.permitted_subtrees, value.excluded_subtrees
            self._found.append((_by_type(subtrees[0]), _by_type(subtrees[1])))

    def check(self, certificate: x509.Certificate) -> None:
        """Check all names of a certificate.

        :raises CertificateError: one is excluded or not permitted, or cannot be compared.
        """
        for name in _names(certificate) if self._found else ():
            kind, value = type(name), None
            for permitted, excluded in self._found:
                good, bad = permitted.get(kind, ()), excluded.get(kind, ())
                self._comparisons += len(good) + len(bad)
                if self._comparisons > MOST_COMPARISONS:
                    raise CertificateError("the path has too many names and name constraints")
                if good or bad:
                    value = value or _comparable(name)
                if good and not any(_WITHIN[kind](value, base) for base in good):
                    raise CertificateError(f"a CA does not permit the name {_shown(name)}")
                if any(_WITHIN[kind](value, base) for base in bad):
                    raise CertificateError(f"a CA excludes the name {_shown(name)}")


def _by_type(subtrees: Iterable[x509.GeneralName] | None) -> _Bases:
    bases: defaultdict[type[x509.GeneralName], list[Any]] = defaultdict(list)
    for base in subtrees or ():
        value = base.value
        bases[type(base)].append(canonical(value) if isinstance(value, x509.Name) else value)
    return bases


def _comparable(name: x509.GeneralName) -> Any:
    """The value of a name that constraints are compared with; it is made once a name.

    :raises CertificateError: names of this type are not compared, or the name is malformed.
    """
    value = name.value
    if isinstance(name, x509.DirectoryName):
        return canonical(value)
    if isinstance(name, x509.UniformResourceIdentifier):
        host = _HOST.fullmatch(value.lower())
        good, value = host and not host[1].replace(".", "").isdigit(), host and host[1]
    elif isinstance(name, x509.RFC822Name):
        user, _, host = value.rpartition("@")
        good = user and host and "@" not in user
    else:
        good = type(name) in _WITHIN and not (isinstance(value, str) and value.startswith("."))
    if not good:
        raise CertificateError(f"a CA constrains names as {_shown(name)}, which is not comparable")
    return value


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


def _directory_name(name: CanonicalName, base: CanonicalName) -> bool:
    return name[: len(base)] == base


def _domain(name: str, base: str) -> bool:
    """A domain or one below it; an empty base means all."""
    name, base = name.lower(), base.lower()
    return not base or name == base or name.endswith(f".{base}")


def _mailbox(name: str, base: str) -> bool:
    """An address, all of a host, or all of a domain's hosts (with a leading dot)."""
    user, _, host = name.rpartition("@")
    wanted, at, base_host = base.rpartition("@")
    return _host(host, base_host) and (not at or user == wanted)


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
    x509.UniformResourceIdentifier: _host,
}
"""How names of each type are compared."""
