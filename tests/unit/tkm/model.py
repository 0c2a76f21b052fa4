# SPDX-License-Identifier: GPL-2.0-or-later
"""What the specification says of contexts, in a few sets and dictionaries.

Written from spec/tkm-rpc.md and spec/rpc2.md, not from the TKM's tables: each method says whether
a request must be granted, and if so takes its effect. Semantics (is that certificate bob's?) come
in as plain facts.
"""

from dataclasses import dataclass


@dataclass(eq=False)
class Endpoint:
    """An ae; an IKE SA holds on to its own even when the number names another one."""

    number: int
    state: str = "unauth"


class Model:
    """The contexts in use."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.nc: set[int] = set()
        self.ke: dict[int, tuple[str, int]] = {}
        self.cc: dict[int, tuple[str, ...]] = {}
        self.checked: set[int] = set()
        self.ae: dict[int, Endpoint] = {}
        self.isa: dict[int, Endpoint] = {}
        self.esa: dict[int, str] = {}

    def picture(self) -> dict[tuple[str, int], str]:
        """State by kind and number."""
        return {
            **{("nc", number): "created" for number in self.nc},
            **{("ke", number): state for number, (state, _) in self.ke.items()},
            **{
                ("cc", number): "checked" if number in self.checked else "linked"
                for number in self.cc
            },
            **{("ae", number): ae.state for number, ae in self.ae.items()},
            **{("isa", number): "active" for number in self.isa},
            **{("esa", number): state for number, state in self.esa.items()},
        }

    def reset_one(self, kind: str, number: int) -> None:
        if kind == "ae" and number in self.ae:
            self.ae[number].state = "gone"
        if kind == "cc":
            self.checked.discard(number)
        store = getattr(self, kind)
        if isinstance(store, set):
            store.discard(number)
        else:
            store.pop(number, None)

    def nc_create(self, nc: int) -> bool:
        if nc in self.nc:
            return False
        self.nc.add(nc)
        return True

    def ke_step(self, ke: int, step: str, method: int, good: bool) -> bool:
        """get or set, each once, in either order, with one method."""
        state, begun_with = self.ke.get(ke, ("clean", method))
        done = {"local": "get", "remote": "set", "clean": ""}.get(state)
        if not good or done is None or done == step or method != begun_with:
            return False
        once = "local" if step == "get" else "remote"
        self.ke[ke] = ("complete" if done else once, method)
        return True

    def cc_check_ca(self, cc: int, is_configured: bool) -> bool:
        if cc in self.cc or not is_configured:
            return False
        self.cc[cc] = ("ca",)
        return True

    def cc_add(self, cc: int, name: str, issuer: str) -> bool:
        if cc not in self.cc or cc in self.checked or self.cc[cc][-1] != issuer:
            return False
        self.cc[cc] += (name,)
        return True

    def cc_check_chain(self, cc: int, ri: int) -> bool:
        if self.cc.get(cc) != ("ca", "bob") or cc in self.checked or ri != 1:
            return False
        self.checked.add(cc)
        return True

    def _ready(self, kes: tuple[int, ...], nc: int) -> bool:
        complete = all(self.ke.get(ke, ("clean", 0))[0] == "complete" for ke in kes)
        return complete and len(set(kes)) == len(kes) and nc in self.nc

    def _consume(self, kes: tuple[int, ...], nc: int) -> None:
        self.nc.remove(nc)
        for ke in kes:
            del self.ke[ke]

    def isa_create(self, isa: int, ae: int, ke: int, nc: int, good: bool) -> bool:
        if isa in self.isa or ae in self.ae or not self._ready((ke,), nc) or not good:
            return False
        self._consume((ke,), nc)
        self.ae[ae] = self.isa[isa] = Endpoint(ae)
        return True

    def isa_create_child(
        self, isa: int, parent: int, kes: tuple[int, ...], nc: int, good: bool
    ) -> bool:
        if isa in self.isa or self.state(parent) != "active" or not self._ready(kes, nc):
            return False
        if not good:
            return False
        self._consume(kes, nc)
        self.isa[isa] = self.isa[parent]
        return True

    def state(self, isa: int) -> str:
        """Of an IKE SA's endpoint."""
        return self.isa[isa].state if isa in self.isa else "none"

    def isa_update(self, isa: int, ke: int) -> bool:
        if self.state(isa) != "unauth" or self.ke.get(ke, ("clean", 0))[0] != "complete":
            return False
        del self.ke[ke]
        return True

    def isa_step(self, isa: int, before: str, after: str, good: bool = True) -> bool:
        """sign, authenticate, skip_create_first: from one state to the next."""
        if self.state(isa) != before or not good:
            return False
        self.isa[isa].state = after
        return True

    def esa_create(
        self, esa: int, isa: int, kes: tuple[int, ...], nc: int, good: bool, kernel: bool
    ) -> bool:
        """What went into the keys is used up, even if the kernel refuses them."""
        if esa in self.esa or self.state(isa) != "active" or not self._ready(kes, nc):
            return False
        if not good:
            return False
        self._consume(kes, nc)
        if not kernel:
            return False
        self.esa[esa] = "inbound"
        return True

    def esa_create_first(self, esa: int, isa: int, good: bool, kernel: bool) -> bool:
        after = "active" if kernel else "forfeited"
        if esa in self.esa or not self.isa_step(isa, "authenticated", after, good) or not kernel:
            return False
        self.esa[esa] = "inbound"
        return True

    def esa_select(self, esa: int, kernel: bool) -> bool:
        """The kernel is asked once: what it has refused, it is not given again."""
        if self.esa.get(esa) == "inbound":
            self.esa[esa] = "active" if kernel else "forfeited"
            return kernel
        return self.esa.get(esa) == "active"

    def states_of_kernel(self) -> int:
        return sum(2 if state == "active" else 1 for state in self.esa.values())
