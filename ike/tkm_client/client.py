# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection to the TKM, and what all contexts have in common."""

import logging
from typing import Any, TypeVar

from ike.errors import LocalError
from ike.message.errors import OutOfContexts, TrustedRefusal
from ike.message.numbers import NotifyType
from tkm.rpc import rpc2
from tkm.rpc.client import Client
from tkm.rpc.interface import Request
from tkm.rpc.record import Record
from tkm.rpc.result import Disconnected, FieldError, FrameError, Refused, Result

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)

_LATER = NotifyType.TEMPORARY_FAILURE
_NOTIFIES = {
    Result.AUTH_FAILURE: NotifyType.AUTHENTICATION_FAILED,
    Result.CERTIFICATE_FAILURE: NotifyType.AUTHENTICATION_FAILED,
    Result.SIGN_FAILURE: NotifyType.AUTHENTICATION_FAILED,
    Result.MATH_ERROR: NotifyType.INVALID_SYNTAX,
    Result.INVALID_PARAMETER: NotifyType.INVALID_SYNTAX,
    Result.INVALID_ID: NotifyType.NO_PROPOSAL_CHOSEN,
    Result.KERNEL_FAILURE: NotifyType.NO_ADDITIONAL_SAS,
    Result.QUOTA_EXCEEDED: NotifyType.NO_ADDITIONAL_SAS,
}
"""The Notify that reports a refusal to the peer; TEMPORARY_FAILURE for all others."""


class Pool:
    """Numbers of one kind of context: 1 to ``limit``."""

    def __init__(self, kind: str, limit: int) -> None:
        self.kind = kind
        self.limit = limit
        self._highest = 0
        self._returned: list[int] = []

    def take(self) -> int:
        """A number that is not in use.

        Raises:
            OutOfContexts: All are.
        """
        if self._returned:
            return self._returned.pop()
        if self._highest == self.limit:
            raise OutOfContexts(f"all {self.limit} {self.kind} contexts of the TKM are in use")
        self._highest += 1
        return self._highest

    def give_back(self, number: int) -> None:
        """Return a number that is not used any more."""
        self._returned.append(number)

    @property
    def in_use(self) -> int:
        """How many numbers are taken."""
        return self._highest - len(self._returned)


class TkmClient:
    """The TKM at the other end of ``client``; all its contexts are reset first.

    Raises:
        LocalError: It speaks another generation of the protocol.
    """

    def __init__(self, client: Client) -> None:
        self.attach(client)

    def attach(self, client: Client) -> None:
        """Use a TKM, the first one or another; what was created before is void.

        Raises:
            LocalError: It speaks another generation of the protocol.
            RpcError: It does not answer, after all.
        """
        generation = client.call(rpc2.TkmVersion()).version
        if generation != rpc2.VERSION:
            raise LocalError(f"the TKM speaks generation {generation}, not {rpc2.VERSION}")
        client.call(rpc2.TkmReset())
        limits = client.call(rpc2.TkmLimits())
        self.pools = {
            kind: Pool(kind, getattr(limits, kind))
            for kind in ("nc", "ke", "cc", "ae", "isa", "esa")
        }
        self._client: Client | None = client

    def lose(self) -> None:
        """The TKM has ended, and with it all that was made here."""
        self._client = None
        self.pools = {kind: Pool(kind, pool.limit) for kind, pool in self.pools.items()}

    @property
    def is_lost(self) -> bool:
        """No TKM answers; until one is found again, all is refused."""
        return self._client is None

    def require(self) -> Client:
        """Return the connection to the TKM.

        Raises:
            TrustedRefusal: There is none.
        """
        if self._client is None:
            raise TrustedRefusal(_LATER, "no TKM is connected", Result.ABORTED)
        return self._client

    def reset(self) -> None:
        """Reset every context; what was made here before is void."""
        try:
            self.call(rpc2.TkmReset())
        except TrustedRefusal as error:
            log.warning("contexts of the TKM are not reset: %s", error)

    def call(self, request: Request[R]) -> R:
        """Ask the TKM.

        A TKM whose answer cannot be read is given up like one that has ended: whether the request
        was carried out is unknown, and the next answer would be as doubtful.

        Raises:
            TrustedRefusal: It refuses, and nothing has changed; or there is none any more.
        """
        try:
            return self.require().call(request)
        except (Disconnected, FrameError) as error:
            self.lose()
            raise TrustedRefusal(_LATER, f"the TKM is gone: {error}", Result.ABORTED) from error
        except (Refused, FieldError) as error:
            notify = _NOTIFIES.get(error.result, _LATER)
            raise TrustedRefusal(notify, f"TKM: {error}", error.result) from error

    @property
    def contexts_in_use(self) -> dict[str, int]:
        """How many contexts of each kind we hold."""
        return {kind: pool.in_use for kind, pool in self.pools.items()}


class Context:
    """A context of the TKM, ours until it is freed.

    Attributes:
        id: Its number.
    """

    kind: str

    def __init__(self, tkm: TkmClient) -> None:
        tkm.require()
        self.tkm = tkm
        self._pool = tkm.pools[self.kind]
        self.id = self._pool.take()
        self._held = True

    def _reset(self) -> Request[Any]:
        """The request that resets it."""
        raise NotImplementedError

    def free(self) -> None:
        """Reset it, once. If its TKM has ended, so has the context."""
        if self._pool is not self.tkm.pools[self.kind]:
            self._held = False
        if not self._held:
            return
        try:
            self.tkm.call(self._reset())
        except TrustedRefusal as error:
            # Its number stays taken: it is unknown what the TKM still holds there.
            self._held = False
            if not self.tkm.is_lost:
                log.error("%s context %d is lost: %s", self.kind, self.id, error)
            return
        self.used_up()

    def used_up(self) -> None:
        """The TKM holds nothing there any more."""
        if self._held:
            self._held = False
            self._pool.give_back(self.id)

    def _made_by(self, request: Request[R]) -> R:
        """Make the context by ``request``; whatever stops that, it is freed."""
        try:
            return self.tkm.call(request)
        except TrustedRefusal:
            self.free()
            raise
