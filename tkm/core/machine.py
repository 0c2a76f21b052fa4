# SPDX-License-Identifier: GPL-2.0-or-later
"""State machines as tables, and operations that step several of them at once.

An operation names the contexts that it takes and what happens to each. It is all or nothing: first
every step is checked, then the operation computes, then every step is taken. So a refused request
changes nothing, and nothing is consumed twice. There is one exception: once keys have been derived,
what went into them is spent (:meth:`Context.spend`), even if the request fails afterwards.

Steps become final at the end of the block :meth:`Contexts.all_or_nothing`. The server encodes its
reply inside of one, so an operation whose reply cannot be sent has not happened either.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple, TypeVar

from tkm.errors import AuthenticationError, InvalidId, InvalidState

CLEAN = "clean"
"""The state of every context that is not in use."""


class Transition(NamedTuple):
    """In state ``source``, ``trigger`` leads to ``target``."""

    source: str
    trigger: str
    target: str


class Table:
    """The states of one kind of context.

    A reset leads from anywhere to clean and is therefore not written down.

    :ivar targets: where a trigger leads, by state and trigger; what is not there is illegal.
    """

    def __init__(self, name: str, title: str, *transitions: Transition) -> None:
        self.name = name
        self.title = title
        self.transitions = transitions
        self.targets = {(row.source, row.trigger): row.target for row in transitions}

    @property
    def states(self) -> tuple[str, ...]:
        """All states, clean first."""
        names = [CLEAN]
        for row in self.transitions:
            names += [row.source, row.target]
        return tuple(dict.fromkeys(names))

    @property
    def triggers(self) -> tuple[str, ...]:
        """All triggers."""
        return tuple(dict.fromkeys(row.trigger for row in self.transitions))


class Context:
    """Something with a number and a state. It starts clean, and is dropped when clean again.

    :ivar expires: until when (UTC, inclusive) what it proves holds; ``None``: it proves nothing.
    """

    table: ClassVar[Table]
    expires: datetime | None = None

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = CLEAN
        self.is_spent = False

    def after(self, trigger: str) -> str:
        """The state that ``trigger`` leads to.

        :raises InvalidState: it is illegal now.
        """
        try:
            return self.table.targets[self.state, trigger]
        except KeyError:
            raise InvalidState(f"{self} is {self.state}: it does not {trigger}") from None

    def spend(self) -> None:
        """Keys come from it now: it is not used again, even if the request fails."""
        self.is_spent = True

    def check_current(self, now: Callable[[], datetime]) -> None:
        """Nothing may rest on what has ended; the context may only be reset.

        Args:
            now: the clock (UTC).

        Raises:
            AuthenticationError: what it proves no longer holds.
        """
        if self.expires is not None and now() > self.expires:
            raise AuthenticationError(f"{self} expired at {self.expires:%F %T} UTC: begin anew")

    def wipe(self) -> None:
        """Destroy the secrets that it owns."""

    def __str__(self) -> str:
        return f"{self.table.name} {self.number}"


C = TypeVar("C", bound=Context)


class Store(dict[int, C]):
    """All contexts of one kind that are in use, by number; any other number gives a clean one.

    :ivar limit: the highest number. Another raises :class:`InvalidId`.
    """

    def __init__(self, kind: type[C], limit: int) -> None:
        super().__init__()
        self.kind = kind
        self.limit = limit

    def __missing__(self, number: int) -> C:
        if number > self.limit:
            raise InvalidId(f"{self.kind.table.name} {number} is past the limit, {self.limit}")
        return self.kind(number)

    def settle(self, context: C) -> None:
        """Keep a context that is in use, wipe and drop one that is not."""
        if context.state == CLEAN:
            context.wipe()
            self.pop(context.number, None)
        else:
            self[context.number] = context

    def reset(self, number: int) -> None:
        """Make the context of that number clean, from whatever state."""
        context = self[number]
        context.state = CLEAN
        self.settle(context)


class Step:
    """What an operation does to one context.

    :ivar field: the request's field that has the number (or the numbers) of the context; with a
        dot, an attribute of a context that an earlier step has found, as ``isa.ae``.
    :ivar spent: the trigger instead, if the request fails when the context is spent already; empty
        where nothing is derived.
    :ivar owner: that earlier context, ``isa``; empty if there is none.
    :ivar name: the name under which the context is passed.
    """

    def __init__(self, kind: type[Context], field: str, trigger: str, spent: str = "") -> None:
        self.kind = kind
        self.field = field
        self.trigger = trigger
        self.spent = spent
        self.owner, _, self.name = field.rpartition(".")


class Operation(NamedTuple):
    """All that happens to contexts in one request."""

    name: str
    steps: tuple[Step, ...]


class _Unfinished:
    """What operations have done to contexts that is not final yet.

    :ivar before: the values that each context had.
    :ivar targets: the state that each context is to have.
    :ivar spent: the state of those that keys have come from, if it all fails.
    """

    def __init__(self) -> None:
        self.before: dict[Context, dict[str, Any]] = {}
        self.targets: dict[Context, str] = {}
        self.spent: dict[Context, str] = {}


class Contexts:
    """The stores of all kinds, and the one way in which operations change them.

    :param limit: the highest number of a context, and so how many there can be of each kind.
    :param now: the clock (UTC) by which contexts expire.
    """

    def __init__(
        self,
        *kinds: type[Context],
        limit: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self.stores: Mapping[type[Context], Store[Any]] = {
            kind: Store(kind, limit) for kind in kinds
        }
        self._unfinished: _Unfinished | None = None

    def store(self, kind: type[C]) -> Store[C]:
        """The contexts of one kind."""
        return self.stores[kind]

    def perform(self, operation: Operation, request: Any, compute: Callable[..., Any]) -> Any:
        """Check all steps, compute, take all steps.

        ``compute`` gets the request and, by the steps' names, the contexts. It assigns to them only
        when nothing can fail any more. See :meth:`all_or_nothing` for when it does all the same.

        :raises InvalidId: a number is past the limit.
        :raises InvalidState: a step is illegal, or one context is asked for twice.
        :raises AuthenticationError: a context has expired.
        """
        found: dict[str, Any] = {}
        targets: dict[Context, str] = {}
        spent: dict[Context, str] = {}
        for step in operation.steps:
            contexts = found[step.name] = self._find(step, request, found)
            for context in contexts if type(contexts) is tuple else (contexts,):
                if context in targets:
                    raise InvalidState(f"{operation.name} names one context twice")
                targets[context] = context.after(step.trigger)
                context.check_current(self._now)
                if step.spent:
                    spent[context] = context.after(step.spent)
        with self.all_or_nothing() as unfinished:
            for context in targets:
                unfinished.before.setdefault(context, dict(vars(context)))
            unfinished.targets |= targets
            unfinished.spent |= spent
            reply = compute(request, **found)
            for context, target in targets.items():
                context.state = target
                if target != CLEAN:
                    self.stores[type(context)][context.number] = context
        return reply

    @contextmanager
    def all_or_nothing(self) -> Iterator[_Unfinished]:
        """What operations do in this block becomes final at its end; one in another is part of it.

        Whatever is raised in it, the contexts are as they were, and what was assigned to them
        meanwhile is wiped; but those that keys have come from are used up.
        """
        if self._unfinished is not None:
            yield self._unfinished
            return
        unfinished = self._unfinished = _Unfinished()
        try:
            yield unfinished
        except BaseException:
            self._undo(unfinished)
            raise
        finally:
            self._unfinished = None
        for context, target in unfinished.targets.items():
            context.is_spent = False
            if target == CLEAN:  # last of all, for what is wiped cannot be restored
                self.stores[type(context)].settle(context)

    def _undo(self, unfinished: _Unfinished) -> None:
        spent = unfinished.spent
        used_up = {context: spent[context] for context in spent if context.is_spent}
        for context, values in unfinished.before.items():
            self._restore(context, values)
        for context, target in used_up.items():
            context.state = target
            self.stores[type(context)].settle(context)

    def _restore(self, context: Context, values: dict[str, Any]) -> None:
        """Give a context the values that it had."""
        for name, value in vars(context).items():
            if value is not values.get(name) and not isinstance(value, Context):
                getattr(value, "wipe", lambda: None)()
        vars(context).clear()
        vars(context).update(values)
        if context.state == CLEAN:
            self.stores[type(context)].pop(context.number, None)

    def _find(self, step: Step, request: Any, found: Mapping[str, Any]) -> Any:
        if step.owner:
            return getattr(found[step.owner], step.name)
        store, number = self.stores[step.kind], getattr(request, step.name)
        if type(number) is tuple:
            return tuple([store[each] for each in number])
        return store[number]

    def reset_all(self, keep: Container[Context] = ()) -> None:
        """Make everything clean, but for what is to be kept."""
        for context in list(self):
            if context not in keep:
                self.stores[type(context)].reset(context.number)

    def __iter__(self) -> Iterator[Context]:
        for store in self.stores.values():
            yield from store.values()
