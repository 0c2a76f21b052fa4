# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules: each context's states, and what each operation does to which contexts.

The code, the tests and the documentation all read them here. A reset leads from every state to
clean and destroys what the context holds; it is not written down.
"""

from typing import Final

from tkm.core.machine import CLEAN, Table, Transition

NC: Final = Table(
    "nc",
    "nonce",
    Transition(CLEAN, "create", "created"),
    Transition("created", "consume", CLEAN),
)
KE: Final = Table(
    "ke",
    "key exchange",
    # A Diffie-Hellman initiator gets first, the responder to a KEM sets first.
    Transition(CLEAN, "get", "local"),
    Transition(CLEAN, "set", "remote"),
    Transition("local", "set", "complete"),
    Transition("remote", "get", "complete"),
    Transition("complete", "consume", CLEAN),
)
CC: Final = Table(
    "cc",
    "certificate chain",
    Transition(CLEAN, "begin", "linked"),
    Transition("linked", "extend", "linked"),
    Transition("linked", "check", "checked"),
    Transition("checked", "prove", "checked"),
)
AE: Final = Table(
    "ae",
    "authenticated endpoint",
    Transition(CLEAN, "create", "unauth"),
    Transition("unauth", "update", "unauth"),
    Transition("unauth", "sign", "loc_auth"),
    Transition("loc_auth", "authenticate", "authenticated"),
    Transition("authenticated", "create_first", "active"),
    Transition("authenticated", "skip_first", "active"),
    # The keys of the first Child SA were derived and came to nothing: they are not derived again.
    Transition("authenticated", "forfeit", "forfeited"),
    Transition("forfeited", "skip_first", "active"),
    Transition("active", "inherit", "active"),
)
ISA: Final = Table(
    "isa",
    "IKE SA",
    Transition(CLEAN, "create", "active"),
    Transition("active", "use", "active"),
)
ESA: Final = Table(
    "esa",
    "ESP SA",
    Transition(CLEAN, "create", "inbound"),
    Transition("inbound", "select", "active"),
    Transition("active", "select", "active"),
    # The kernel has seen the keys of the outbound state and refused it: it is not asked again.
    Transition("inbound", "forfeit", "forfeited"),
    Transition("active", "forfeit", "active"),
)
TABLES: Final = (NC, KE, CC, AE, ISA, ESA)
