# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine has no knot: objects change only themselves, and one table names every request."""

import ast
from pathlib import Path

import pytest

import ike.engine
from ike.engine.dispatch import REQUESTS
from ike.engine.states import State
from ike.message.numbers import ExchangeType

FILES = sorted(Path(ike.engine.__file__).parent.glob("*.py"))


def foreign_writes(source: str) -> list[str]:
    """The assignments in a module to attributes of any object but ``self``."""
    targets: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.Delete):
            targets += node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets.append(node.target)
    written = [part for target in targets for part in ast.walk(target)]
    return [
        f"line {each.lineno}: {ast.unparse(each)}"
        for each in written
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store | ast.Del)
        and not (isinstance(each.value, ast.Name) and each.value.id == "self")
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_object_writes_the_attributes_of_another(file: Path) -> None:
    assert foreign_writes(file.read_text()) == []


@pytest.mark.parametrize(
    "planted",
    ["sa.state = 1", "self.sa.state = 1", "sa.count += 1", "one, sa.x = two", "del sa.keys"],
)
def test_a_foreign_write_is_found(planted: str) -> None:
    assert len(foreign_writes(f"def f(self, sa):\n    {planted}\n")) == 1
    assert foreign_writes("def f(self):\n    self.state, x = 1, 2\n") == []


def test_every_exchange_type_but_the_first_is_in_the_table() -> None:
    assert set(REQUESTS) == set(ExchangeType) - {ExchangeType.IKE_SA_INIT}


@pytest.mark.parametrize("kind", list(REQUESTS), ids=lambda kind: ExchangeType(kind).name)
def test_requests_are_answered_where_there_are_keys_and_never_before(kind: int) -> None:
    assert REQUESTS[kind].states
    assert REQUESTS[kind].states.isdisjoint({State.NEW, State.CONNECTING, State.GONE})
