# SPDX-License-Identifier: GPL-2.0-or-later
"""Each contract in pyproject.toml is kept, and finds an import that breaks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter.api import read_configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.domain.contract import Contract

_CONFIGURATION = read_configuration(str(Path(__file__).parents[2] / "pyproject.toml"))
_CONTRACTS: Mapping[str, Any] = {each["name"]: each for each in _CONFIGURATION["contracts_options"]}
_CLASSES: Mapping[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
}
_PLANTED = {
    "The trusted side knows nobody": [
        ("tkm.core.manager", "ike.message.chain"),
        ("tkm.config.conf", "tkm_cfgtool.xml"),
        ("tkm.daemon.main", "lab.errors"),
        ("tkm.daemon.main", "xfrm_proxy.events"),
    ],
    "The TKM calls nobody": [
        ("tkm.daemon.main", "tkm.rpc.client"),
        ("tkm.generation1.translation", "tkm.rpc.ees"),
    ],
    "Generation 1 is loaded by the program alone": [
        ("tkm.core.handlers.chain", "tkm.generation1.rpc1"),
        ("tkm.rpc.server", "tkm.generation1.translation"),
    ],
    "The sandbox serves both sides, and knows neither": [
        ("tkm.sandbox.calls", "tkm.rpc.client"),
        ("tkm.sandbox.privileges", "tkm.daemon.logs"),
    ],
    "Identities and proposals are read by both sides, and know neither": [
        ("tkm.identity", "tkm.certs.names"),
        ("tkm.identity", "ike.message.numbers"),
    ],
    "The TKM's errors need of the protocol only its result codes and log lines": [
        ("tkm.errors", "tkm.daemon.logs"),
        ("tkm.errors", "tkm.rpc.server"),
    ],
    "The IKE daemon sees of the trusted side only the protocol and the sandbox": [
        ("ike.engine.ike_sa", "tkm.core.states"),
        ("ike.tkm_client.keys", "tkm.crypto.prf"),
        ("ike.daemon.main", "tkm.daemon.logs"),
        ("ike.errors", "tkm.errors"),
        ("ike.config.model", "lab.errors"),
    ],
    "ike has layers": [
        ("ike.engine.engine", "ike.vici.control"),
        ("ike.engine.context", "ike.daemon.udp"),
        ("ike.vici.control", "ike.daemon.service"),
        ("ike.message.chain", "ike.tkm_client.client"),
        ("ike.config.model", "ike.engine.states"),
        ("ike.tkm_client.keys", "ike.config.model"),
    ],
    "ike has no import cycles": [
        ("ike.engine.ike_sa", "ike.engine.roaming"),
        ("ike.engine.exchange", "ike.engine.ike_sa"),
        ("ike.engine.informational", "ike.engine.send"),
        ("ike.message.reader", "ike.message.chain"),
    ],
    "lab has layers": [
        ("lab.agent.nodes", "lab.client.lab"),
        ("lab.client.lab", "lab.build.builder"),
        ("lab.check.checker", "lab.scenario.model"),
        ("lab.topology.parse", "lab.kernel.plan"),
    ],
    "lab has no import cycles": [
        ("lab.agent.guest", "lab.agent.agent"),
        ("lab.scenario.needs", "lab.scenario.model"),
    ],
    "The proof shares no code with what it proves": [
        ("lab.check.proof.esp", "tkm.crypto.protection"),
        ("lab.xfrm.netlink", "tkm.xfrm.abi"),
        ("lab.check.checker", "ike.message.chain"),
    ],
    "The lab runs daemons as processes": [
        ("lab.client.vici", "ike.vici.packet"),
        ("lab.build.builder", "tkm.core.manager"),
        ("lab.agent.programs", "xfrm_proxy.main"),
    ],
    "The tools beside the TKM use what they need of it": [
        ("xfrm_proxy.main", "tkm.core.manager"),
        ("xfrm_proxy.events", "ike.message.chain"),
    ],
}
"""Imports that the contract of a name forbids."""


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """All imports, those for type checkers too."""
    packages = _CONFIGURATION["session_options"]["root_packages"]
    return grimp.build_graph(*packages, cache_dir=None)


def _kept(name: str, graph: grimp.ImportGraph) -> bool:
    options = _CONTRACTS[name]
    contract = _CLASSES[options["type"]](name, _CONFIGURATION["session_options"], options)
    return contract.check(graph, verbose=False).kept


def _cases() -> Iterator[Any]:
    for name, pairs in _PLANTED.items():
        for importer, imported in pairs:
            yield pytest.param(name, importer, imported, id=f"{importer}-{imported}")


@pytest.mark.parametrize("name", list(_CONTRACTS))
def test_it_is_kept_and_has_a_planted_violation(imports: grimp.ImportGraph, name: str) -> None:
    assert _kept(name, imports)
    assert _PLANTED[name]


@pytest.mark.parametrize(("name", "importer", "imported"), list(_cases()))
def test_a_planted_import_is_found(
    imports: grimp.ImportGraph, name: str, importer: str, imported: str
) -> None:
    assert {importer, imported} <= imports.modules
    imports.add_import(importer=importer, imported=imported)
    try:
        assert not _kept(name, imports)
    finally:
        imports.remove_import(importer=importer, imported=imported)


def test_the_ike_daemon_may_import_what_is_named_alone(imports: grimp.ImportGraph) -> None:
    """A new package of ``tkm`` is forbidden to ``ike`` until somebody decides otherwise."""
    name = "The IKE daemon sees of the trusted side only the protocol and the sandbox"
    permitted = {"tkm.algorithms", "tkm.identity", "tkm.proposals", "tkm.rpc", "tkm.sandbox"}
    assert imports.find_children("tkm") - permitted <= set(_CONTRACTS[name]["forbidden_modules"])
