# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's SAD and SPD as `ip -s xfrm` shows them, read into records.

iproute2 has no JSON for xfrm, so this reads its text; only what a lab needs of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm by the kernel's name, its key, and how many bits of an ICV are sent."""

    name: str
    key: bytes = field(repr=False)
    icv_bits: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """An SA in the kernel (RFC 4301, section 4.4.2). Encryption and ICV, or an AEAD alone."""

    src: str
    dst: str
    proto: str
    spi: int
    reqid: int
    mode: str
    encryption: Algorithm | None
    integrity: Algorithm | None
    aead: Algorithm | None
    replay_window: int
    esn: bool
    encap: tuple[int, int] | None
    """UDP ports, source and destination, if ESP is carried in UDP."""
    octets: int
    packets: int
    selector: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Policy:
    """An entry of the SPD (RFC 4301, section 4.4.1), with its template."""

    src: str
    dst: str
    direction: str
    action: str
    priority: int
    proto: str
    reqid: int
    mode: str
    tunnel: tuple[str, str] | None


def read_states(text: str) -> list[State]:
    """The SAs in the output of `ip -s xfrm state`."""
    return [_read_state(block) for block in _blocks(text) if " spi 0x00000000" not in block]


def read_policies(text: str) -> list[Policy]:
    """The policies in the output of `ip -s xfrm policy`; those of single sockets are left out."""
    return [_read_policy(block) for block in _blocks(text) if re.search(r"\bdir \w", block)]


def _blocks(text: str) -> list[str]:
    return [block for block in re.split(r"^(?=src )", text, flags=re.MULTILINE) if block.strip()]


def _find(pattern: str, block: str, default: str = "") -> str:
    found = re.search(pattern, block)
    return found.group(1) if found else default


def _algorithm(kind: str, block: str) -> Algorithm | None:
    """A line such as `auth-trunc hmac(sha512) 0x… (512 bits) 256`."""
    found = re.search(
        rf"^\s*{kind} (\S+) (?:0x([0-9a-f]*))?(?: \(\d+ bits\))?(?: (\d+))?", block, re.MULTILINE
    )
    if found is None:
        return None
    return Algorithm(found[1], bytes.fromhex(found[2] or ""), int(found[3] or 0))


def _addresses(pattern: str, block: str) -> tuple[str, str] | None:
    found = re.search(pattern, block, re.MULTILINE)
    return (found[1], found[2]) if found else None


def _read_state(block: str) -> State:
    ends = _addresses(r"^src (\S+) dst (\S+)", block) or ("", "")
    encap = re.search(r"encap type \S+ sport (\d+) dport (\d+)", block)
    current = _find(r"lifetime current:\s+(\d+)\(bytes\)", block, "0")
    packets = _find(r"lifetime current:\s+\d+\(bytes\), (\d+)\(packets\)", block, "0")
    return State(
        src=ends[0],
        dst=ends[1],
        proto=_find(r"proto (\S+)", block),
        spi=int(_find(r"spi (0x[0-9a-f]+)", block, "0"), 16),
        reqid=int(_find(r"reqid (\d+)", block, "0")),
        mode=_find(r"mode (\S+)", block),
        encryption=_algorithm("enc", block),
        integrity=_algorithm("auth(?:-trunc)?", block),
        aead=_algorithm("aead", block),
        replay_window=_replay_window(block),
        esn=bool(re.search(r"flag .*\besn\b", block)),
        encap=(int(encap[1]), int(encap[2])) if encap else None,
        octets=int(current),
        packets=int(packets),
        selector=_addresses(r"^\s+sel src (\S+) dst (\S+)", block),
    )


def _replay_window(block: str) -> int:
    """Of a state with ESN, or of one without, whose field the others have, too, as 0."""
    with_esn = _find(r"replay_window (\d+)", block)
    return int(with_esn or _find(r"replay-window (\d+)", block, "0"))


def _read_policy(block: str) -> Policy:
    ends = _addresses(r"^src (\S+) dst (\S+)", block) or ("", "")
    template = block.partition("tmpl ")[2]
    tunnel = _addresses(r"^\s*src (\S+) dst (\S+)", template)
    return Policy(
        src=ends[0],
        dst=ends[1],
        direction=_find(r"\bdir (\w+)", block),
        action=_find(r"\baction (\w+)", block, "allow"),
        priority=int(_find(r"\bpriority (\d+)", block, "0")),
        proto=_find(r"\bproto (\S+)", template),
        reqid=int(_find(r"\breqid (\d+)", template, "0")),
        mode=_find(r"\bmode (\S+)", template),
        tunnel=tunnel if _find(r"\bmode (\S+)", template) == "tunnel" else None,
    )
