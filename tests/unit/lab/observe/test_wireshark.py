# SPDX-License-Identifier: GPL-2.0-or-later
"""Wireshark's key tables: the right row for each kind of SA. (That it can read them: tests/e2e.)"""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.observe.wireshark import _has_esn, files
from lab.xfrm.ip_output import Algorithm, State

CBC = Algorithm("cbc(aes)", bytes(32))
SHA512 = Algorithm("hmac(sha512)", b"\1" * 64, 256)
SA = State(
    src="192.0.2.1",
    dst="192.0.2.2",
    proto="esp",
    spi=0xC0FFEE,
    reqid=1,
    mode="transport",
    encryption=CBC,
    integrity=SHA512,
    aead=None,
    replay_window=32,
    esn=False,
    encap=None,
    octets=0,
    packets=0,
    selector=None,
)


def row(sa: State) -> list[str]:
    (line,) = files([sa], [])["esp_sa"].splitlines()
    return [cell.strip('"') for cell in line.split(",")]


def test_a_row_has_addresses_spi_algorithms_and_keys() -> None:
    assert row(SA) == [
        *("IPv4", "192.0.2.1", "192.0.2.2", "0x00c0ffee"),
        *("AES-CBC [RFC3602]", "0x" + "00" * 32),
        *("HMAC-SHA-512-256 [RFC4868]", "0x" + "01" * 64),
    ]


def test_both_ends_report_an_sa_and_it_is_one_row() -> None:
    other = replace(SA, dst="192.0.2.1", src="192.0.2.2")
    assert len(files([SA, SA, other], [])["esp_sa"].splitlines()) == 2


@pytest.mark.parametrize(
    ("changes", "cells"),
    [
        ({"src": "2001:db8::1", "dst": "2001:db8::2"}, {0: "IPv6", 2: "2001:db8::2"}),
        ({"encap": (4500, 4500)}, {1: "*", 2: "*"}),
        ({"esn": True}, {6: "ANY 256 bit authentication [no checking]", 8: "64-bit"}),
        (
            {"aead": Algorithm("rfc4106(gcm(aes))", b"\2" * 20, 96)},
            {4: "AES-GCM with 12 octet ICV [RFC4106]", 5: "0x" + "02" * 20, 6: "NULL", 7: ""},
        ),
        (
            {"integrity": Algorithm("hmac(md5)", b"\3" * 16, 96)},
            {6: "ANY 96 bit authentication [no checking]"},
        ),
    ],
)
def test_other_sas(changes: dict[str, object], cells: dict[int, str]) -> None:
    found = row(replace(SA, **changes))  # type: ignore[arg-type]
    assert {number: found[number] for number in cells} == cells


def test_what_wireshark_cannot_open_is_left_out() -> None:
    aead = Algorithm("rfc7539esp(chacha20,poly1305)", bytes(36), 128)
    assert files([replace(SA, aead=aead)], [])["esp_sa"] == ""
    assert files([replace(SA, proto="ah")], [])["esp_sa"] == ""


def test_ike_keys_only_if_there_are_any() -> None:
    assert "ikev2_decryption_table" not in files([SA], [])
    assert files([SA], ["a", "b", "a"])["ikev2_decryption_table"] == "a\nb\n"


@pytest.mark.parametrize(
    ("version", "columns"),
    [("TShark (Wireshark) 4.0.17 (Git)", 8), ("TShark (Wireshark) 4.4.0.", 9), ("", 9)],
)
def test_the_column_of_extended_sequence_numbers_only_where_it_is_known(
    version: str, columns: int
) -> None:
    text = files([replace(SA, esn=True)], [], esn=_has_esn(version))["esp_sa"]
    assert len(text.split(",")) == columns
