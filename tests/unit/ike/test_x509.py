# SPDX-License-Identifier: GPL-2.0-or-later
"""Three fields of a certificate, against cryptography's reading of them."""

import hashlib
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ike.x509 import Certificate, comparable
from tests.attacks.odd import name, tlv
from tests.unit.trusted import pki


def test_fields() -> None:
    der = pki().certificates["alice"]
    reference = x509.load_der_x509_certificate(der)
    certificate = Certificate.read(der)
    key = reference.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate.der == der
    assert certificate.issuer == reference.issuer.public_bytes()
    assert certificate.subject == reference.subject.public_bytes()
    assert certificate.key_hash == hashlib.sha1(key).digest()
    found = reference.extensions.get_extension_for_class
    ours = found(x509.SubjectKeyIdentifier).value
    theirs = found(x509.AuthorityKeyIdentifier).value
    assert certificate.key_id == ours.key_identifier
    assert certificate.issuer_key_id == theirs.key_identifier


@pytest.mark.parametrize("behind", [b"\n", b"\r\n", b" \n\n"])
def test_white_space_behind_a_certificate_is_cut_off(behind: bytes) -> None:
    der = pki().certificates["alice"]
    assert Certificate.read(der + behind) == Certificate.read(der)
    with pytest.raises(ValueError, match="not a certificate"):
        Certificate.read(der + behind + b"x")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x31\x00",
        b"\x30\x02\x30\x00",
        b"\x30\x80",
        b"\x30\x85\0\0\0\0\0",
        b"\x30\x16\x30\x14" + 2 * b"\x02\x00" + 8 * b"\x30\x00",
    ],
)
def test_no_certificate(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"certificate|element|length"):
        Certificate.read(octets)


@given(st.data())
def test_whatever_it_is_it_is_read_or_refused(data: st.DataObject) -> None:
    octets = bytearray(pki().certificates["alice"])
    for _ in range(3):
        octets[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    try:
        Certificate.read(bytes(octets))
    except ValueError as error:
        reason = str(error)
    else:
        reason = ""
    assert reason == "" or reason[0].islower()


@pytest.mark.parametrize(
    ("tag", "encoding"),
    [
        (0x0C, "utf-8"),
        (0x13, "ascii"),
        (0x14, "latin-1"),
        (0x16, "ascii"),
        (0x1C, "utf-32-be"),
        (0x1E, "utf-16-be"),
    ],
)
def test_names_that_are_written_differently_are_equal(tag: int, encoding: str) -> None:
    """RFC 5280, 7.1."""
    plain = name(("2.5.4.3", tlv(0x0C, b"Alice Smith")))
    for text in ("Alice Smith", " alice  SMITH "):
        assert comparable(name(("2.5.4.3", tlv(tag, text.encode(encoding))))) == comparable(plain)
    for other in (
        name(("2.5.4.3", tlv(tag, "Alice Smyth".encode(encoding)))),
        name(("2.5.4.4", tlv(tag, "Alice Smith".encode(encoding)))),
        name(("2.5.4.3", tlv(tag, "Alice Smith".encode(encoding)))) + b"\0",
    ):
        try:
            assert comparable(other) != comparable(plain)
        except ValueError:
            assert other[-1:] == b"\0"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x30",
        b"\x30\1\0",
        b"\x31\0",
        name(("2.5.4.3", b"")),
        name(("2.5.4.3", b"\x0c\2\xff\xfe")),
        name(("2.5.4.3", b"\x0c\5x")),
        tlv(0x30, tlv(0x31, tlv(0x30))),
    ],
)
def test_names_of_noise(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        comparable(octets)


def test_no_codec_is_loaded_later() -> None:
    """In the sandbox no file can be opened any more."""
    code = "import ike.x509, sys; print('encodings.utf_16_be' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
