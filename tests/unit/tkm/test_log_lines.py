# SPDX-License-Identifier: GPL-2.0-or-later
"""The log lines that upstream's own tests look for, word for word."""

import logging
from typing import Any

import pytest

from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.tkm.test_kernel import run
from tests.unit.trusted import hosts

IKE_SPIS = {"alice": bytes.fromhex("9c3ab6aafa5db867"), "bob": bytes.fromhex("09f8c736811ef75e")}
ESP_SPIS = {"alice": bytes.fromhex("7b0e7524"), "bob": bytes.fromhex("0a9f4e47")}
"""Of bob with a leading zero, which the original leaves out."""

STEPS = {
    "ike_sa_init": [
        (
            "Creating new ISA context with ID 1 "
            "(KE 1, nonce 1, spi_loc 9C3AB6AAFA5DB867, spi_rem 9F8C736811EF75E)"
        ),
    ],
    "ike_auth": [
        "Linked CC context 1 with CA certificate 1",
        "Certificate chain of CC context 1 is valid",
        "Authentication of ISA context 1 successful",
    ],
    "ike_intermediate": ["Updating ISA context with ID 1 (KE 1)"],
    "first_child": [
        (
            "Creating first new ESA context with ID 1 "
            "(Isa 1, Sp 1, Ea 1, Initiator TRUE, spi_loc 7B0E7524, spi_rem A9F4E47)"
        ),
    ],
    "child_with_pfs": [
        (
            "Creating ESA context with ID 2 (Isa 1, Sp 1, Ea 1, Ke_Id 1 #1 / 1, Nc_Loc_Id 1, "
            "Initiator TRUE, spi_loc 7B0E7524, spi_rem A9F4E47)"
        ),
    ],
    "delete_child": ["Resetting ESA context 1"],
    "ike_rekey": [
        "Creating new child ISA context with ID 2 (Parent Isa 1, KE 1 #1 / 2, nonce 1, spi_loc "
    ],
}
"""What alice logs, by step."""


@pytest.fixture(scope="module")
def logged() -> Any:
    """Lines of alice's Key Manager, by step."""
    alice, bob = hosts()
    talk = Conversation(alice, bob)
    talk.esp_spis = lambda: ESP_SPIS  # type: ignore[method-assign]
    for end in talk.ends:
        end.spi = IKE_SPIS[end.host.name]
    steps = {
        "ike_sa_init": lambda: talk.ike_sa_init(MODP_3072),
        "ike_intermediate": lambda: talk.ike_intermediate(MODP_3072),
        "ike_auth": talk.ike_auth,
        "first_child": talk.first_child,
        "child_with_pfs": lambda: talk.create_child(alice, 2, MODP_3072),
        "delete_child": lambda: talk.delete_child(1),
        "ike_rekey": lambda: talk.rekey_ike(alice, 2, MODP_3072, MODP_3072),
    }
    return {name: lines_of(step) for name, step in steps.items()}


def lines_of(step: Any) -> list[str]:
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("tkm")
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        step()
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
    return lines


@pytest.mark.parametrize(
    ("step", "line"), [(step, line) for step, lines in STEPS.items() for line in lines]
)
def test_lines_of_operations(logged: Any, step: Any, line: Any) -> None:
    if line.endswith("spi_loc "):  # a rekeyed IKE SA has SPIs of its own
        assert any(each.startswith(line) for each in logged[step])
    else:
        assert line in logged[step]


KERNEL = """
import contextlib, logging, sys
from tests.unit.tkm.test_log_lines import ESP_SPIS, lines_of
from tkm.errors import KernelError
from tkm.crypto.secret import Secret
from tkm.xfrm.model import StateKeys, StatePair

policy = config_of('alice').policies[1]
pair = StatePair(policy, ESP_SPIS['alice'], ESP_SPIS['bob'])
keys = StateKeys(Secret(bytearray(32)), Secret(bytearray(64)))

def all_of_it():
    kernel.add_policy(policy)
    kernel.add_policy(tunnel().policies[7])
    with contextlib.suppress(KernelError):  # where this kernel has no ESP
        kernel.add_inbound(pair, keys)
    kernel.delete_states(pair, sends=True)

print(json.dumps(lines_of(all_of_it)))
"""


def test_lines_of_the_kernel() -> None:
    assert run(KERNEL) == [
        "Adding policy [ 1, 192.168.0.1 <-> 192.168.0.2 ]",
        "Adding policy [ 7, 10.1.0.0/16 > 192.168.0.1 <=> 192.168.0.2 < 10.2.0.0/16 ]",
        (
            "Adding ESA [ 1, 192.168.0.1 <-> 192.168.0.2, SPI_in 7B0E7524, SPI_out A9F4E47, "
            "soft 30, hard 60 ]"
        ),
        "Deleting ESA [ 1, 192.168.0.1 <=> 192.168.0.2, SPI_in 7B0E7524, SPI_out A9F4E47 ]",
    ]
