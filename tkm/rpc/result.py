# SPDX-License-Identifier: GPL-2.0-or-later
"""Result codes of tkm-rpc and the errors that stand for them on the caller's side."""

from enum import IntEnum


class Result(IntEnum):
    """The outcome of a request, as it stands in a response."""

    OK = 0x000
    INVALID_OPERATION = 0x101
    """There is no such operation."""
    INVALID_ID = 0x102
    """An id is out of range, or names nothing that is configured."""
    INVALID_STATE = 0x103
    """A context is not in the state that the operation needs."""
    INVALID_PARAMETER = 0x104
    """A value or a length is out of its bounds, or the frame is broken."""
    QUOTA_EXCEEDED = 0x105
    """A policy has as many SAs as it may have. Generation 2 only."""
    RANDOM_FAILURE = 0x201
    SIGN_FAILURE = 0x202
    AUTH_FAILURE = 0x203
    """The peer's signature, identity or policy is not accepted. Generation 2 only."""
    CERTIFICATE_FAILURE = 0x204
    """The peer's certificate chain is not accepted. Generation 2 only."""
    INTEGRITY_FAILURE = 0x205
    """The integrity check value of an IKE message is wrong. Generation 2 only."""
    ABORTED = 0x301
    KERNEL_FAILURE = 0x302
    """The kernel refused a state or a policy. Generation 2 only."""
    MATH_ERROR = 0x401
    """The peer's public value is not in the group."""


class HandlerError(Exception):
    """A handler refuses a request; it has changed nothing."""

    result: Result = Result.ABORTED


class RpcError(Exception):
    """A call to the TKM did not succeed."""


class Refused(RpcError):
    """The TKM answered with a result other than Ok; it changed nothing.

    :ivar result: why.
    """

    def __init__(self, operation: str, result: Result) -> None:
        super().__init__(f"{operation}: {result.name}")
        self.operation = operation
        self.result = result


class Disconnected(RpcError):
    """There is nobody at the other end of the socket, or it went away."""


class FrameError(RpcError):
    """What arrived is no frame of this interface."""


class FieldError(RpcError):
    """A value does not fit its field.

    :ivar result: the code that answers it: ``INVALID_ID`` or ``INVALID_PARAMETER``.
    """

    def __init__(self, reason: str, result: Result = Result.INVALID_PARAMETER) -> None:
        super().__init__(reason)
        self.result = result
