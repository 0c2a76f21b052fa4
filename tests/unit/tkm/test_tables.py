# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables themselves: every operation in every combination of states, legal or not."""

from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from tkm.core.kinds import Chain, Endpoint, EspSa, IkeSa, KeyExchange, Nonce
from tkm.core.machine import CLEAN, Context, Contexts, Operation, Table
from tkm.core.operations import OPERATIONS
from tkm.core.states import TABLES
from tkm.errors import InvalidState
from tkm.generation1.chain import FROM_PEER
from tkm.generation1.rpc1 import RPC1
from tkm.rpc.rpc2 import RPC2

KINDS = (Nonce, KeyExchange, Chain, Endpoint, IkeSa, EspSa)
WITHOUT_CONTEXTS = {"tkm_version", "tkm_limits", "tkm_reset"}

# From the specification, in words of its own: state, what happens, state.
SPECIFIED = {
    "nc": "clean create created, created consume clean",
    "ke": "clean get local, clean set remote, local set complete, remote get complete,"
    " complete consume clean",
    "cc": "clean begin linked, linked extend linked, linked check checked, checked prove checked",
    "ae": "clean create unauth, unauth update unauth, unauth sign loc_auth,"
    " loc_auth authenticate authenticated, authenticated create_first active,"
    " authenticated skip_first active, authenticated forfeit forfeited,"
    " forfeited skip_first active, active inherit active",
    "isa": "clean create active, active use active",
    "esa": "clean create inbound, inbound select active, active select active, "
    "inbound forfeit forfeited, active forfeit active",
}
EACH = pytest.mark.parametrize(
    "operation", [*OPERATIONS.values(), *FROM_PEER.values()], ids=lambda each: each.name
)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_transitions_are_the_specified_ones(table: Table) -> None:
    rows = {tuple(row.split()) for row in SPECIFIED[table.name].split(", ")}
    assert set(table.transitions) == rows
    assert len(table.transitions) == len(rows)
    assert table.states[0] == CLEAN
    for state, trigger in product(table.states, table.triggers):
        targets = [row[2] for row in rows if row[:2] == (state, trigger)]
        assert table.targets.get((state, trigger)) == (targets[0] if targets else None)


def test_every_operation_is_either_in_the_table_or_a_reset() -> None:
    names = {operation.operation for operation in RPC2} - WITHOUT_CONTEXTS
    resets = {f"{kind.table.name}_reset" for kind in KINDS}
    assert names == set(OPERATIONS) | resets


def test_generation_1_has_operations_of_its_own_for_chains_only() -> None:
    names = {operation.operation for operation in RPC1}
    assert set(FROM_PEER) == {name for name in names if name.startswith("cc_")} - {"cc_reset"}


def test_every_trigger_is_pulled_by_an_operation() -> None:
    pulled = {
        (step.kind.table.name, step.trigger)
        for operation in OPERATIONS.values()
        for step in operation.steps
    }
    pulled |= {
        (step.kind.table.name, step.spent)
        for operation in OPERATIONS.values()
        for step in operation.steps
        if step.spent
    }
    assert pulled == {(table.name, trigger) for table in TABLES for trigger in table.triggers}


class Placed:
    """Contexts in given states, one a step of an operation, and a request that names them."""

    def __init__(self, operation: Operation, states: tuple[str, ...]) -> None:
        self.contexts, self.request = Contexts(*KINDS, limit=100), SimpleNamespace()
        self.operation = operation
        self.by_name: dict[str, Context] = {}
        for number, (step, state) in enumerate(zip(operation.steps, states, strict=True), 1):
            context = self.by_name[step.name] = step.kind(number)
            context.state = state
            if state != CLEAN:
                self.contexts.store(step.kind)[number] = context
            owner, dot, name = step.field.rpartition(".")
            if dot:
                setattr(self.by_name[owner], name, context)
            setattr(self.request, step.field, number)

    def perform(self, compute: Any) -> None:
        self.contexts.perform(self.operation, self.request, compute)

    def states(self) -> tuple[str, ...]:
        """As the stores have them."""
        stores = [self.contexts.store(step.kind) for step in self.operation.steps]
        for number, store in enumerate(stores, 1):
            assert (number in store) == (store[number].state != CLEAN)
        return tuple(store[number].state for number, store in enumerate(stores, 1))


@EACH
def test_an_operation_happens_whole_or_not_at_all(operation: Any) -> None:
    refused = 0
    for states in product(*(step.kind.table.states for step in operation.steps)):
        placed, calls = Placed(operation, states), list[Any]()
        targets = tuple(
            step.kind.table.targets.get((state, step.trigger))
            for step, state in zip(operation.steps, states, strict=True)
        )
        if all(targets):
            placed.perform(lambda _, calls=calls, **found: calls.append(found))
            assert [list(found) for found in calls] == [list(placed.by_name)]
            assert placed.states() == targets
        else:
            refused += 1
            with pytest.raises(InvalidState):
                placed.perform(lambda *_, **__: pytest.fail("it was computed"))
            assert placed.states() == states
    assert refused


@EACH
def test_an_operation_that_fails_changes_nothing(operation: Any) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    tables = [(step.kind.table, step.trigger) for step in operation.steps]
    for states in product(*(table.states for table, _ in tables)):
        steps = zip(tables, states, strict=True)
        if all(table.targets.get((state, trigger)) for (table, trigger), state in steps):
            placed = Placed(operation, states)
            with pytest.raises(ZeroDivisionError):
                placed.perform(fail)
            assert placed.states() == states


def test_one_context_is_not_consumed_twice_in_one_request() -> None:
    contexts, request = Contexts(*KINDS, limit=100), SimpleNamespace()
    operation = OPERATIONS["esa_create"]
    for kind, state in ((KeyExchange, "complete"), (Nonce, "created"), (IkeSa, "active")):
        context = contexts.store(kind)[1] = kind(1)
        context.state = state
    ae = contexts.store(IkeSa)[1].ae = Endpoint(1)
    ae.state = "active"
    request.esa, request.isa, request.ke, request.nc_loc = 1, 1, (1, 1), 1
    with pytest.raises(InvalidState, match="esa_create names one context twice"):
        contexts.perform(operation, request, lambda *_, **__: pytest.fail("it was computed"))
    assert contexts.store(KeyExchange)[1].state == "complete"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.table.name)
def test_a_reset_leads_from_everywhere_to_clean(kind: Any) -> None:
    for state in kind.table.states:
        contexts = Contexts(*KINDS, limit=100)
        context = contexts.store(kind)[5] = kind(5)
        context.state = state
        contexts.store(kind).reset(5)
        assert contexts.store(kind)[5].state == CLEAN
        assert list(contexts) == []
