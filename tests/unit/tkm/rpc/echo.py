# SPDX-License-Identifier: GPL-2.0-or-later
"""An interface of its own for tests of what every interface has in common."""

from typing import Annotated

from tkm.rpc.fields import Octets, Unsigned
from tkm.rpc.interface import Interface, Request, SizedFrames
from tkm.rpc.record import Empty, Record
from tkm.rpc.result import HandlerError, Result
from tkm.rpc.server import Dispatcher

ECHO = Interface("echo", SizedFrames)


class WordReply(Record):
    word: Annotated[bytes, Octets(65536)]


class Say(Request[WordReply], interface=ECHO, code=1):
    """Answered with the same word, as often as wanted."""

    word: Annotated[bytes, Octets(4096)]
    times: Annotated[int, Unsigned(1, low=1)]


class Fail(Request[Empty], interface=ECHO, code=2):
    """Refused with that result."""

    result: Annotated[int, Unsigned(2)]


class Refusal(HandlerError):
    def __init__(self, result: int) -> None:
        super().__init__("as asked for")
        self.result = Result(result)


def dispatcher(heard: list[bytes] | None = None) -> Dispatcher:
    """Answers; notes down what it has heard."""

    def say(request: Say) -> WordReply:
        if heard is not None:
            heard.append(request.word)
        return WordReply(word=request.word * request.times)

    def fail(request: Fail) -> Empty:
        raise Refusal(request.result)

    return Dispatcher(ECHO, {Say: say, Fail: fail})
