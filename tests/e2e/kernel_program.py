# SPDX-License-Identifier: GPL-2.0-or-later
"""A warm program for test_kernel_states: of the Key Manager, its hands on the kernel alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tkm.config import conf
from tkm.config.policy import Policy
from tkm.crypto.secret import Secret
from tkm.errors import KernelError
from tkm.xfrm.kernel import XfrmKernel
from tkm.xfrm.model import StateKeys, StatePair


def keys(spi: bytes) -> tuple[bytes, bytes]:
    """The keys of the state with this SPI: for encryption, for integrity."""
    return spi * 8, spi[::-1] * 16


def main(argv: list[str]) -> int:
    """`ACTION…`: does each one, and prints `done`, or why not.

    `flush`, `policy ID`, `delete ID SPI_IN SPI_OUT` or `states ID SPI_IN SPI_OUT [esn] [OUR-PEER]`,
    with SPIs in hexadecimal and UDP ports; the policies are in the `tkm.conf` on standard input.
    """
    policies = conf.parse(sys.stdin.read()).policies
    kernel = XfrmKernel()
    for action in argv:
        try:
            act(kernel, policies, action.split())
        except KernelError as error:
            print(f"{error.result.name}: {error}")
        else:
            print("done")
    return 0


def act(kernel: XfrmKernel, policies: Mapping[int, Policy], words: list[str]) -> None:
    match words:
        case ["flush"]:
            kernel.flush()
        case ["policy", number]:
            kernel.add_policy(policies[int(number)])
        case [what, number, *rest]:
            pair = pair_of(policies[int(number)], *rest)
            if what == "delete":
                kernel.delete_states(pair, sends=True)
            else:
                kernel.add_inbound(pair, StateKeys(*map(Secret.take, keys(pair.spi_in))))
                kernel.add_outbound(pair, StateKeys(*map(Secret.take, keys(pair.spi_out))))


def pair_of(policy: Policy, spi_in: str, spi_out: str, *options: str) -> StatePair:
    ports = [tuple(map(int, option.split("-"))) for option in options if option != "esn"]
    return StatePair(
        policy,
        bytes.fromhex(spi_in),
        bytes.fromhex(spi_out),
        esn="esn" in options,
        encap=(ports[0][0], ports[0][1]) if ports else None,
    )
