# SPDX-License-Identifier: GPL-2.0-or-later
"""Every frame recorded between the original programs decodes and encodes to the same octets."""

from typing import Any, cast

import pytest

from tests.unit.frames import cut
from tests.unit.tkm.vectors import frames
from tkm.generation1 import rpc1
from tkm.generation1.rpc1 import RPC1
from tkm.rpc.ees import EES
from tkm.rpc.fields import Field, Octets
from tkm.rpc.interface import FixedFrames, Header

INTERFACES = {"ike": RPC1, "ees": EES}
FRAMES = FixedFrames()


@pytest.mark.parametrize("run", ["vici-full", "vici-nopfs-reauth", "skip-first"])
@pytest.mark.parametrize("host", ["alice", "bob"])
def test_frames_decode_and_encode_to_the_same_octets(run: str, host: str) -> None:
    rows = [row for row in frames() if (row["run"], row["host"]) == (run, host)]
    assert len(rows) >= 17
    for row in rows:
        interface = INTERFACES[row["interface"]]
        request = bytes.fromhex(row["request"]).ljust(FixedFrames.REQUEST, b"\0")
        header, body = cut(FRAMES, request)
        operation = interface.operations[header.operation]
        decoded = operation.decode(body, padded=True)
        assert FRAMES.request(header, decoded.encode()) == request
        response = bytes.fromhex(row["response"]).ljust(FixedFrames.RESPONSE, b"\0")
        answer, body = cut(FRAMES, response, responses=True)
        assert (answer.operation, answer.result) == (header.operation, 0)
        assert (
            FRAMES.response(answer, operation.reply.decode(body, padded=True).encode()) == response
        )


def test_all_frames_are_here() -> None:
    rows = frames()
    assert len(rows) == 284
    codes = {
        (row["interface"], int.from_bytes(bytes.fromhex(row["request"])[:2], "little"))
        for row in rows
    }
    unrecorded = {code for code in RPC1.operations if ("ike", code) not in codes}
    assert unrecorded == {rpc1.TkmVersion.code}


# Offsets within the body, from spec/tkm-rpc.md.
OFFSETS = {
    "tkm_version": ({}, {"version": 0}),
    "tkm_limits": (
        {},
        {"max_active_requests": 0, "nc": 8, "dh": 16, "cc": 24, "ae": 32, "isa": 40, "esa": 48},
    ),
    "nc_create": ({"nc": 0, "length": 8}, {"nonce": 0}),
    "dh_create": ({"dh": 0, "dha": 8}, {"public_value": 0}),
    "dh_generate_key": ({"dh": 0, "public_value": 8}, {}),
    "cc_set_user_certificate": ({"cc": 0, "ri": 8, "autha": 16, "certificate": 24}, {}),
    "cc_add_certificate": ({"cc": 0, "autha": 8, "certificate": 16}, {}),
    "cc_check_ca": ({"cc": 0, "ca": 8}, {}),
    "isa_create": (
        {
            "isa": 0, "ae": 8, "ia": 16, "dh": 24, "nc_loc": 32, "nonce_rem": 40,
            "initiator": 300, "spi_loc": 308, "spi_rem": 316,
        },
        {"sk_ai": 0, "sk_ar": 68, "sk_ei": 136, "sk_er": 204},
    ),
    "isa_sign": ({"isa": 0, "lc": 8, "init_message": 16}, {"signature": 0}),
    "isa_auth": ({"isa": 0, "cc": 8, "init_message": 16, "signature": 1520}, {}),
    "isa_create_child": (
        {
            "isa": 0, "parent": 8, "ia": 16, "dh": 24, "nc_loc": 32, "nonce_rem": 40,
            "initiator": 300, "spi_loc": 308, "spi_rem": 316,
        },
        {"sk_ai": 0, "sk_ar": 68, "sk_ei": 136, "sk_er": 204},
    ),
    "isa_skip_create_first": ({"isa": 0}, {}),
    "esa_create": (
        {
            "esa": 0, "isa": 8, "sp": 16, "ea": 20, "dh": 28, "nc_loc": 36, "nonce_rem": 44,
            "initiator": 304, "spi_loc": 312, "spi_rem": 316,
        },
        {},
    ),
    "esa_create_no_pfs": (
        {
            "esa": 0, "isa": 8, "sp": 16, "ea": 20, "nc_loc": 28, "nonce_rem": 36,
            "initiator": 296, "spi_loc": 304, "spi_rem": 308,
        },
        {},
    ),
    "esa_create_first": (
        {"esa": 0, "isa": 8, "sp": 16, "ea": 20, "spi_loc": 28, "spi_rem": 32}, {}
    ),
    "esa_select": ({"esa": 0}, {}),
    "tkm_reset": ({}, {}),
    **{f"{kind}_reset": ({kind: 0}, {}) for kind in ("nc", "dh", "cc", "ae", "isa", "esa")},
}  # fmt: skip
CODES = {
    "tkm_version": 0x0000, "tkm_limits": 0x0001, "tkm_reset": 0x0002, "nc_reset": 0x0100,
    "nc_create": 0x0101, "dh_reset": 0x0200, "dh_create": 0x0201, "dh_generate_key": 0x0202,
    "cc_reset": 0x0300, "cc_set_user_certificate": 0x0301, "cc_add_certificate": 0x0302,
    "cc_check_ca": 0x0303, "ae_reset": 0x0800, "isa_reset": 0x0900, "isa_create": 0x0901,
    "isa_sign": 0x0902, "isa_auth": 0x0903, "isa_create_child": 0x0904,
    "isa_skip_create_first": 0x0905, "esa_reset": 0x0A00, "esa_create": 0x0A01,
    "esa_create_no_pfs": 0x0A02, "esa_create_first": 0x0A03, "esa_select": 0x0A04,
}  # fmt: skip


def test_codes_are_the_specified_ones() -> None:
    assert {operation.operation: operation.code for operation in RPC1} == CODES


@pytest.mark.parametrize("operation", list(RPC1), ids=lambda operation: operation.operation)
def test_offsets_are_the_specified_ones(operation: Any) -> None:
    found = [_offsets(record.fields) for record in (operation, operation.reply)]
    assert tuple(found) == OFFSETS[operation.operation]


def _offsets(fields: dict[str, Field]) -> dict[str, int]:
    offsets, at = {}, 0
    for name, field in fields.items():
        offsets[name] = at
        at += (
            getattr(field, "size", 0)
            or getattr(field, "length", 0)
            or 4 + cast("Octets", field).high
        )
    return offsets


def test_garbage_behind_the_fields_is_ignored() -> None:
    request = FRAMES.request(Header(0x0100, 9), (5).to_bytes(8, "little") + b"garbage" * 200)
    _, body = cut(FRAMES, request)
    assert rpc1.NcReset.decode(body, padded=True) == rpc1.NcReset(nc=5)
    octets = (1).to_bytes(8, "little") + (3).to_bytes(4, "little") + b"abc" + b"rest" * 200
    assert rpc1.DhGenerateKey.decode(octets, padded=True).public_value == b"abc"
