# SPDX-License-Identifier: GPL-2.0-or-later
"""The contracts of ``ike`` in pyproject.toml are kept, and each finds a planted import."""

from pathlib import Path

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

TREE = Path(__file__).parents[3]
CLASSES: dict[str, type[Contract]] = {
    "layers": LayersContract,
    "acyclic_siblings": AcyclicSiblingsContract,
}


@pytest.fixture
def graph() -> grimp.ImportGraph:
    """All imports, those for type checkers too."""
    return grimp.build_graph("ike", cache_dir=None)


def kept(kind: str, graph: grimp.ImportGraph) -> bool:
    """Whether the contract of a type for ``ike`` is kept by a graph of imports."""
    configuration = read_configuration(str(TREE / "pyproject.toml"))
    options = [each for each in configuration["contracts_options"] if each["type"] == kind]
    (ours,) = (each for each in options if each["name"].startswith("ike "))
    contract = CLASSES[kind](ours["name"], configuration["session_options"], ours)
    return contract.check(graph, verbose=False).kept


@pytest.mark.parametrize("kind", list(CLASSES))
def test_as_it_is(graph: grimp.ImportGraph, kind: str) -> None:
    assert kept(kind, graph)


@pytest.mark.parametrize(
    ("kind", "importer", "imported"),
    [
        ("layers", "ike.engine.engine", "ike.vici.control"),
        ("layers", "ike.engine.context", "ike.daemon.udp"),
        ("layers", "ike.vici.control", "ike.daemon.service"),
        ("layers", "ike.message.chain", "ike.tkm_client.client"),
        ("layers", "ike.config.model", "ike.engine.states"),
        ("layers", "ike.tkm_client.keys", "ike.config.model"),
        ("acyclic_siblings", "ike.engine.ike_sa", "ike.engine.roaming"),
        ("acyclic_siblings", "ike.engine.exchange", "ike.engine.ike_sa"),
        ("acyclic_siblings", "ike.engine.informational", "ike.engine.send"),
        ("acyclic_siblings", "ike.message.reader", "ike.message.chain"),
    ],
)
def test_a_planted_import_is_found(
    graph: grimp.ImportGraph, kind: str, importer: str, imported: str
) -> None:
    assert {importer, imported} <= graph.modules
    graph.add_import(importer=importer, imported=imported)
    assert not kept(kind, graph)
