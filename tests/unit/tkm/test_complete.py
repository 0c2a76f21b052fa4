# SPDX-License-Identifier: GPL-2.0-or-later
"""No operation is left out of the comparison with the specification's model."""

import ast
import inspect

from tests.unit.tkm import test_sequences
from tkm.rpc.rpc2 import RPC2

READ_ONLY = {"TkmVersion", "TkmLimits"}
"""They concern no context."""


def test_the_model_grants_or_refuses_every_operation() -> None:
    asked = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(test_sequences)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "rpc2"
    }
    missing = {operation.__name__ for operation in RPC2} - READ_ONLY - asked
    assert not missing, "add a rule to tests/unit/tkm/test_sequences.py and to model.py"
