# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong in the TKM, by whose fault it is.

:class:`CallerError` is the untrusted client's fault, :class:`PeerError` the remote peer's,
:class:`HostError` this machine's. Each refuses the request that met it, with a result code of its
own, and has changed nothing; but for a ``tkm_reset`` that the kernel holds up, which destroys all
else, and for keys that the kernel has refused: what they were derived from is used up.
:class:`ConfigError` is the administrator's, and ends the program.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tkm.rpc.log_limit import printable
from tkm.rpc.result import HandlerError, Result


class TkmError(HandlerError):
    """A request is refused."""


class CallerError(TkmError):
    """The client asks for what it may not have."""


class InvalidId(CallerError):
    """A number names nothing that is configured."""

    result = Result.INVALID_ID


class InvalidState(CallerError):
    """A context is not in the state that the operation needs."""

    result = Result.INVALID_STATE


class InvalidParameter(CallerError):
    """A value does not go with the others."""

    result = Result.INVALID_PARAMETER


class QuotaExceeded(CallerError):
    """A policy has as many SAs as it may have."""

    result = Result.QUOTA_EXCEEDED


class PeerError(TkmError):
    """What the peer has sent does not convince."""


class AuthenticationError(PeerError):
    """The peer's signature, identity or policy is not accepted."""

    result = Result.AUTH_FAILURE


class CertificateError(PeerError):
    """The peer's certificate chain is not accepted."""

    result = Result.CERTIFICATE_FAILURE


class IntegrityError(PeerError):
    """The integrity check value of an IKE message is wrong."""

    result = Result.INTEGRITY_FAILURE


class PublicValueError(PeerError):
    """The peer's public value is not in the group, or leads to a secret that anyone knows."""

    result = Result.MATH_ERROR


@contextmanager
def refusing(refusal: type[PeerError], what: str) -> Iterator[None]:
    """Whatever a library raises while it reads what the peer has sent refuses the request.

    Libraries do not list all that they raise for octets that are wrong in a way nobody thought of,
    and a peer can send any octets. So this is the rule for the whole class. It holds for panics of
    Rust code as well, which are not derived from ``Exception``.

    Args:
        refusal: what is raised instead.
        what: what is wrong, if the library reports an error.
    """
    try:
        yield
    except TkmError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise refusal(f"{what}: {_brief(error)}") from None


def _brief(error: BaseException) -> str:
    """A library's message may repeat what the peer has sent, at any length.

    A parser's is for its authors; for people only the part of it matters that names the field.
    """
    text = str(error) or type(error).__name__
    if "ParseError" in text:
        fields = re.findall(r'"\w+::(\w+)"', text)
        return f"malformed{f' {fields[-1]}' if fields else ''}"
    return text if len(text) <= 300 else f"{text[:300]}..."


class HostError(TkmError):
    """This machine does not do what it should."""


class KernelError(HostError):
    """The kernel refused a state or a policy."""

    result = Result.KERNEL_FAILURE


class SigningError(HostError):
    """The private key does not sign."""

    result = Result.SIGN_FAILURE


class ConfigError(Exception):
    """A file or an option of the administrator is not usable.

    The message is one line, whatever the file has brought into it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message if len(message) <= 1000 else f"{message[:1000]}..."))
