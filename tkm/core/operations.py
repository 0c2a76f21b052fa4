# SPDX-License-Identifier: GPL-2.0-or-later
"""What each operation of the TKM does to which contexts.

Read a row as: the request's field names a context of this kind, and this is its trigger. All
triggers of a row must be legal, or none happens. ``spent`` is what happens to the context if the
request fails after keys have come from it: no two SAs share a key (``operations.derive``).
"""

from typing import Final

from tkm.core.kinds import Chain, Endpoint, EspSa, IkeSa, KeyExchange, Nonce
from tkm.core.machine import Operation, Step

_ISA: Final = Step(IkeSa, "isa", "use")

OPERATIONS: Final = {
    operation.name: operation
    for operation in (
        Operation("nc_create", (Step(Nonce, "nc", "create"),)),
        Operation("ke_get", (Step(KeyExchange, "ke", "get"),)),
        Operation("ke_set", (Step(KeyExchange, "ke", "set"),)),
        Operation("cc_check_ca", (Step(Chain, "cc", "begin"),)),
        Operation("cc_add_certificate", (Step(Chain, "cc", "extend"),)),
        Operation("cc_check_chain", (Step(Chain, "cc", "check"),)),
        Operation(
            "isa_create",
            (
                Step(IkeSa, "isa", "create"),
                Step(Endpoint, "ae", "create"),
                Step(KeyExchange, "ke", "consume", spent="consume"),
                Step(Nonce, "nc_loc", "consume", spent="consume"),
            ),
        ),
        Operation(
            "isa_create_child",
            (
                Step(IkeSa, "isa", "create"),
                Step(IkeSa, "parent", "use"),
                Step(Endpoint, "parent.ae", "inherit"),
                Step(KeyExchange, "ke", "consume", spent="consume"),
                Step(Nonce, "nc_loc", "consume", spent="consume"),
            ),
        ),
        Operation(
            "isa_update",
            (
                _ISA,
                Step(Endpoint, "isa.ae", "update"),
                Step(KeyExchange, "ke", "consume", spent="consume"),
            ),
        ),
        Operation("isa_int_auth", (_ISA, Step(Endpoint, "isa.ae", "update"))),
        Operation("isa_sign", (_ISA, Step(Endpoint, "isa.ae", "sign"))),
        Operation(
            "isa_auth",
            (_ISA, Step(Endpoint, "isa.ae", "authenticate"), Step(Chain, "cc", "prove")),
        ),
        Operation("isa_skip_create_first", (_ISA, Step(Endpoint, "isa.ae", "skip_first"))),
        Operation("isa_encrypt", (_ISA,)),
        Operation("isa_decrypt", (_ISA,)),
        Operation(
            "esa_create",
            (
                Step(EspSa, "esa", "create"),
                _ISA,
                Step(Endpoint, "isa.ae", "inherit"),
                Step(KeyExchange, "ke", "consume", spent="consume"),
                Step(Nonce, "nc_loc", "consume", spent="consume"),
            ),
        ),
        Operation(
            "esa_create_no_pfs",
            (
                Step(EspSa, "esa", "create"),
                _ISA,
                Step(Endpoint, "isa.ae", "inherit"),
                Step(Nonce, "nc_loc", "consume", spent="consume"),
            ),
        ),
        Operation(
            "esa_create_first",
            (
                Step(EspSa, "esa", "create"),
                _ISA,
                Step(Endpoint, "isa.ae", "create_first", spent="forfeit"),
            ),
        ),
        Operation("esa_select", (Step(EspSa, "esa", "select", spent="forfeit"),)),
    )
}
