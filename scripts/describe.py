#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the reference pages that follow from tables: docs/rpc1.md, docs/rpc2.md, docs/contexts.md,
the JSON schemas in docs/schemas, and the part of docs/scenarios.md about steps.

Run it after a change of the tables; a test fails while a page is not current.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import cleandoc, getdoc
from pathlib import Path
from typing import Any

from lab.scenario.schema import schema as scenario_schema
from lab.scenario.step import Step, keys
from lab.scenario.steps import STEPS
from lab.topology.schema import schema as topology_schema
from tkm.algorithms import ENCRYPTIONS, INTEGRITIES, METHODS, PRFS
from tkm.core.machine import CLEAN, Operation, Table
from tkm.core.operations import OPERATIONS
from tkm.core.states import TABLES
from tkm.generation1 import rpc1
from tkm.generation1.chain import FROM_PEER
from tkm.rpc import rpc2
from tkm.rpc.fields import Field, Fixed, Octets, Unsigned
from tkm.rpc.interface import Interface, Request
from tkm.rpc.record import Record
from tkm.rpc.result import Result

DOCS = Path(__file__).resolve().parent.parent / "docs"
_WRITTEN = "<!-- Written by scripts/describe.py from the tables in tkm/. Do not edit. -->"
_RESULTS = {
    Result.OK: "done",
    Result.INVALID_OPERATION: "there is no such operation",
    Result.INVALID_ID: "a number is out of its range, or names nothing that is configured",
    Result.INVALID_STATE: "a context is not in the state that the operation needs",
    Result.QUOTA_EXCEEDED: "a policy has as many SAs as it may have",
    Result.INVALID_PARAMETER: "a value or a length is out of its bounds, or the frame is broken",
    Result.RANDOM_FAILURE: "there is no randomness (never sent)",
    Result.SIGN_FAILURE: "the private key does not sign",
    Result.AUTH_FAILURE: "the peer's signature, identity or policy is not accepted",
    Result.CERTIFICATE_FAILURE: "the peer's certificate chain is not accepted",
    Result.INTEGRITY_FAILURE: "the integrity check value of an IKE message is wrong",
    Result.ABORTED: "the operation was given up",
    Result.KERNEL_FAILURE: "the kernel refuses a state or a policy",
    Result.MATH_ERROR: "the peer's public value is not in the group",
}


_ALGORITHMS = """
# Algorithms

What can be negotiated, by the keywords of a proposal, which are strongSwan's. Numbers are IANA's;
`IKE` and `ESP` are the requirement levels of RFC 8247 and RFC 8221, if they speak of an
algorithm; strength is in bits.

A proposal names algorithms, of which any of each kind may be chosen, the first one rather, such
as `aes256gcm16-prfsha384-x25519-ke1_mlkem768`; commas separate proposals. They stand in
`config.xml` (`<proposals>`), in `tkm.conf`, in topologies (`ike`, `esp`) and in `swanctl.conf`.
**The Key Manager enforces them**: it authenticates no peer, replaces no IKE SA and installs no
Child SA with anything that its policy does not name, whatever `swanctl.conf` says. Suite and key
exchanges must be of one proposal, and further key exchanges are left out only where it says so
(`ke1_none`). A policy without proposals allows what the original TKM could: `aes256-sha512` with
`modp4096` or `modp3072`.

Rules: a cipher with an ICV of its own (`gcm`, `ccm`, `chacha20poly1305`) takes no integrity
algorithm and, for IKE, names its PRF; an integrity algorithm brings its PRF along unless one is
named. ML-KEM is for further key exchanges (`ke1_` to `ke7_`, RFC 9370); each algorithm stands
once in a proposal. ESP proposals may have `esn`, `noesn` or both. What is not in a table is never
negotiated: AES with 192 bits, 3DES, SHA-1, MD5, groups below 2,048 bits. ML-KEM-512 is not there
because the library does not have it. Generation 1 (`--rpc 1`) has the original's suite alone.

What a kernel lacks, the Key Manager reports as `KERNEL_FAILURE` when a Child SA is to be
installed. The proof of the lab opens all but `ccm8`.
"""


def pages() -> dict[str, str]:
    """The text of each page, by its file name."""
    return {
        "rpc1.md": _interface(rpc1.RPC1, rpc1.__doc__, "--rpc 1"),
        "rpc2.md": _interface(rpc2.RPC2, rpc2.__doc__, "--rpc 2, the default"),
        "contexts.md": _contexts(),
        "algorithms.md": _algorithms(),
        "schemas/topology.json": _json(topology_schema()),
        "schemas/scenario.json": _json(scenario_schema()),
        "scenarios.md": _scenarios((DOCS / "scenarios.md").read_text(encoding="utf-8")),
    }


def _algorithms() -> str:
    """The page of algorithms, of the table that both sides read."""
    encryption = [
        (
            each.keyword,
            each.name,
            each.id,
            8 * each.key,
            each.source,
            each.ike,
            each.esp,
            each.strength,
        )
        for each in ENCRYPTIONS
    ]
    integrity = [
        (
            each.keyword,
            each.name,
            each.id,
            8 * each.icv,
            each.source,
            each.ike,
            each.esp,
            each.strength,
        )
        for each in INTEGRITIES
    ]
    prf = [
        (each.keyword, each.name, each.id, each.source, each.ike, each.strength) for each in PRFS
    ]
    methods = [
        (f"ke1_{each.keyword}" if each.is_kem else each.keyword, each.name, each.id, each.source,
         each.ike, each.strength)
        for each in METHODS
    ]  # fmt: skip
    end = ("source", "IKE", "strength")
    both = ("source", "IKE", "ESP", "strength")
    parts = (
        _ALGORITHMS.strip(),
        _table("Encryption (transform type 1)", ("key", *both), encryption),
        _table("Integrity (type 3)", ("ICV", *both), integrity),
        _table("Pseudorandom functions (type 2)", end, prf),
        _table("Key exchange methods (types 4 and 6 to 12)", end, methods),
    )
    return "\n\n".join(parts) + "\n"


def _table(title: str, further: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = ("keyword", "name", "number", *further)
    cells = (head, ["---"] * len(head), *([f"`{row[0]}`", *map(str, row[1:])] for row in rows))
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _json(schema: Mapping[str, Any]) -> str:
    comment = {"$comment": "Written by scripts/describe.py. Do not edit."}
    return json.dumps({**schema, **comment}, indent=2, ensure_ascii=False) + "\n"


def _interface(interface: Interface, words: str | None, option: str) -> str:
    title = f"# tkm-rpc: {interface.name} (`tkm_keymanager {option}`)"
    lines = [title, "", _WRITTEN, "", _markdown(words), "", "## Frames", ""]
    lines += [_markdown(getdoc(interface.framing)), ""]
    lines += [
        "One request, one response, in turn. A response echoes operation and request id; with"
    ]
    lines += [
        "a result other than OK it says nothing else, and the request has changed nothing.",
        "",
    ]
    lines += ["## Results", "", "| code | name | meaning |", "|---|---|---|"]
    lines += _results(interface)
    for operation in interface:
        lines += ["", *_operation(operation)]
    return "\n".join(lines) + "\n"


def _results(interface: Interface) -> Iterator[str]:
    stand_in = dict(interface.results)
    for result, meaning in _RESULTS.items():
        if result in stand_in or (interface is rpc1.RPC1 and result is Result.INTEGRITY_FAILURE):
            continue
        meant = [meaning, *(_RESULTS[other] for other in stand_in if stand_in[other] is result)]
        yield f"| `0x{result:03x}` | {result.name} | {'; '.join(meant)} |"


def _operation(operation: type[Request[Record]]) -> Iterator[str]:
    yield f"## `0x{operation.code:04x}` {operation.operation}"
    yield from _words(operation)
    yield from _fields("request", operation)
    yield from _fields("response", operation.reply)


def _words(record: type[Record]) -> Iterator[str]:
    if words := record.__dict__.get("__doc__"):
        yield from ("", _markdown(words))


def _fields(what: str, record: type[Record]) -> Iterator[str]:
    if not record.fields:
        return
    yield from ("", f"| {what}, octet | field | layout |", "|---|---|---|")
    at: int | None = 0
    for name, field in record.fields.items():
        yield f"| {'…' if at is None else at} | {name} | {field.describe()} |"
        room = _room(field)
        at = None if at is None or room is None else at + room
    if what == "response":
        yield from _words(record)


def _room(field: Field) -> int | None:
    """Octets that a field takes, if that is always the same."""
    match field:
        case Unsigned():
            return field.size
        case Fixed():
            return field.length
        case Octets(slot=True):
            return 4 + field.high
    return None


def _markdown(words: str | None) -> str:
    """A docstring: literals in one quote, fields as a list."""
    text = cleandoc(words or "").replace("``", "`")
    text = re.sub(r"\n(:ivar|:param)", r"\n\n\1", text, count=1)
    return re.sub(r":(?:ivar|param) (\w+): ", r"- `\1`: ", text)


def _contexts() -> str:
    lines = ["# Contexts: what the TKM remembers, and what changes it", "", _WRITTEN, ""]
    lines += [
        "The client names contexts by numbers of its choice; a number that was never used names"
    ]
    lines += ["a clean one. A reset leads from every state to clean and destroys what the context"]
    lines += [
        "holds; it is not drawn. An operation takes all of its steps or none; but what keys have"
    ]
    lines += ["come from is spent even if the operation fails afterwards.", ""]
    for table in TABLES:
        lines += [f"## {table.name}: {table.title}", "", *_diagram(table), ""]
    lines += ["## Operations", ""]
    lines += _steps(OPERATIONS.values())
    lines += ["", "Generation 1 builds certificate chains from the peer up to the CA:", ""]
    lines += _steps(FROM_PEER.values())
    return "\n".join(lines) + "\n"


def _diagram(table: Table) -> Iterator[str]:
    yield from ("```mermaid", "stateDiagram-v2", "    direction LR", f"    [*] --> {CLEAN}")
    for source, trigger, target in table.transitions:
        by = [
            operation.name
            for operation in OPERATIONS.values()
            if any(
                step.kind.table is table and trigger in (step.trigger, step.spent)
                for step in operation.steps
            )
        ]
        yield f"    {source} --> {target}: {trigger} ({_row(by)})"
    yield "```"


def _row(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} …" if len(names) > 3 else shown


def _steps(operations: Iterable[Operation]) -> Iterator[str]:
    yield from ("| operation | what it does to which contexts |", "|---|---|")
    for operation in operations:
        steps = (
            f"{step.kind.table.name} `{step.field}`: {step.trigger}"
            + (f" (spent: {step.spent})" if step.spent else "")
            for step in operation.steps
        )
        yield f"| {operation.name} | {'; '.join(steps)} |"


def _scenarios(page: str) -> str:
    """The page with the reference of steps between its marks."""
    before, mark, rest = re.split(r"(<!-- steps: .*? -->\n)", page)
    _, end, after = re.split(r"(<!-- end of steps -->\n)", rest)
    lines = [line for kind in STEPS.values() for line in _step_kind(kind)]
    return before + mark + "\n".join(lines) + "\n\n" + end + after


def _step_kind(kind: type[Step]) -> Iterator[str]:
    yield from ("", f"### `{kind.kind}`", "", _markdown(getdoc(kind)), "")
    yield from ("| key | meaning | value | default |", "|---|---|---|---|")
    for key in keys(kind):
        read, words = key.metadata["read"], key.metadata["words"]
        value = (getdoc(read) or "").rstrip(".")
        yield f"| `{key.name}` | {words} | {value} | {_default(key)} |"


def _default(key: dataclasses.Field[Any]) -> str:
    """A default as TOML spells it; nothing where there is none."""
    if key.default in (dataclasses.MISSING, None, "", ()):
        return ""
    if isinstance(key.default, bool):
        return f"`{str(key.default).lower()}`"
    return f"`{key.default:g}`" if isinstance(key.default, float) else f"`{key.default}`"


def main() -> None:
    """Write the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
