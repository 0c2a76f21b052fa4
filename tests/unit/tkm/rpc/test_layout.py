# SPDX-License-Identifier: GPL-2.0-or-later
"""Every request and reply of every interface: octets, bounds, refusals; from the tables."""

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tkm.rpc.strategies import bad_values, example, records
from tkm.generation1.rpc1 import RPC1
from tkm.rpc.ees import EES
from tkm.rpc.fields import Octets, Unsigned
from tkm.rpc.interface import Header
from tkm.rpc.record import Record
from tkm.rpc.result import FieldError, Result
from tkm.rpc.rpc2 import RPC2, IsaEncrypt, KeReset

INTERFACES = (RPC2, RPC1, EES)
OPERATIONS = [
    pytest.param(interface, operation, id=f"{interface.name}-{operation.operation}")
    for interface in INTERFACES
    for operation in interface
]
RECORDS = [
    pytest.param(record, id=f"{interface.name}-{record.__name__}")
    for interface in INTERFACES
    for record in dict.fromkeys(
        kind for operation in interface for kind in (operation, operation.reply)
    )
]


@pytest.mark.parametrize(("interface", "operation"), OPERATIONS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_requests_and_replies_survive_the_wire(interface: Any, operation: Any, data: Any) -> None:
    framing = interface.framing()
    request, reply = data.draw(records(operation)), data.draw(records(operation.reply))
    number = data.draw(st.integers(0, 0xFFFFFFFF))
    for record, responses in ((request, False), (reply, True)):
        build = framing.response if responses else framing.request
        stream = bytearray(build(Header(operation.code, number), record.encode()))
        header, body = framing.cut(stream, responses=responses)
        assert (header, bytes(stream)) == (Header(operation.code, number), b"")
        decoded = type(record).decode(body, padded=framing.padded)
        assert decoded == record
        assert hash(decoded) == hash(record)


@pytest.mark.parametrize("kind", RECORDS)
def test_values_out_of_bounds_are_not_encoded(kind: Any) -> None:
    good = example(kind)
    good.encode()
    for name, field in kind.fields.items():
        for value in bad_values(field):
            with pytest.raises(FieldError, match=f"^{name}: ") as caught:
                kind(**{**vars(good), name: value}).encode()
            assert caught.value.result == _fault(field, value)


@pytest.mark.parametrize("kind", RECORDS)
def test_values_out_of_bounds_are_not_decoded(kind: Any) -> None:
    good = example(kind)
    for name, field in kind.fields.items():
        for octets in _bad_octets(field):
            body = b"".join(
                octets if each == name else other.encode(vars(good)[each])
                for each, other in kind.fields.items()
            )
            with pytest.raises(FieldError, match=f"^{name}: ") as caught:
                kind.decode(body + bytes(9000), padded=True)
            if isinstance(field, Unsigned):
                assert caught.value.result == field.fault


@pytest.mark.parametrize("kind", RECORDS)
def test_a_body_that_ends_early_is_refused(kind: Any) -> None:
    body = example(kind).encode()
    for length in range(len(body)):
        with pytest.raises(FieldError, match="the body ends at"):
            kind.decode(body[:length])
    with pytest.raises(FieldError, match="1 octets behind"):
        kind.decode(body + b"\0")


@pytest.mark.parametrize("kind", RECORDS)
@settings(max_examples=30, deadline=None)
@given(body=st.binary(max_size=400), padded=st.booleans())
def test_any_octets_are_a_record_or_refused(kind: Any, body: Any, padded: Any) -> None:
    try:
        record = kind.decode(body, padded=padded)
    except FieldError:
        return
    assert body.startswith(record.encode()) or any(
        getattr(field, "slot", False) for field in kind.fields.values()
    )


@pytest.mark.parametrize("kind", RECORDS)
def test_fields_describe_themselves(kind: Any) -> None:
    assert all(field.describe() for field in kind.fields.values())


def test_codes_of_an_interface_are_its_own() -> None:
    for interface in INTERFACES:
        codes = [operation.code for operation in interface]
        assert codes == sorted(set(codes))


def test_layout_of_generation_2_is_what_its_words_say() -> None:
    request = IsaEncrypt(isa=1, aad_length=2, message=b"abc")
    assert request.encode().hex(" ", -4) == "00000001 00000002 00000003 616263"
    frame = RPC2.framing().request(Header(KeReset.code, 7), KeReset(ke=4096).encode())
    assert frame.hex(" ", -4) == "0000000c 02000000 00000007 00001000"


def test_a_record_shows_lengths_in_place_of_octets() -> None:
    shown = repr(IsaEncrypt(isa=1, aad_length=2, message=b"a secret"))
    assert shown == "IsaEncrypt(isa=1, aad_length=2, message=<8 octets>)"


def test_a_record_takes_its_fields_and_no_others() -> None:
    for values in ({}, {"ke": 1, "nc": 2}):
        with pytest.raises(TypeError, match="KeReset takes ke"):
            KeReset(**values)


def _fault(field: Any, value: Any) -> Result:
    if isinstance(field, Unsigned):
        return field.fault
    item = getattr(field, "item", None)
    wrong = item and any(bad in bad_values(item) for bad in value)
    return item.fault if item and wrong else Result.INVALID_PARAMETER


def _bad_octets(field: Any) -> list[bytes]:
    if isinstance(field, Unsigned):
        fitting = [value for value in bad_values(field) if 0 <= value < 1 << 8 * field.size]
        return [value.to_bytes(field.size, field.order) for value in fitting]
    if isinstance(field, Octets):
        sizes = [field.high + 1, 0xFFFFFFFF, *([field.low - 1] if field.low else [])]
        return [size.to_bytes(4, field.order) + bytes(field.high) for size in sizes]
    if item := getattr(field, "item", None):
        many = bytes([field.high + 1]) + item.encode(item.low) * (field.high + 1)
        return [many, *([b"\0"] if field.low else [])]
    return []


def test_the_helpers_above_find_something_to_refuse() -> None:
    fields = [field for kind in _kinds() for field in kind.fields.values()]
    assert sum(len(_bad_octets(field)) for field in fields) > 100


def _kinds() -> list[type[Record]]:
    return [cast(type[Record], parameter.values[0]) for parameter in RECORDS]
