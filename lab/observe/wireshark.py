# SPDX-License-Identifier: GPL-2.0-or-later
"""What Wireshark needs to show the inside of ESP and IKE: a folder for `WIRESHARK_CONFIG_DIR`.

Wireshark reads the keys from tables of its own, `esp_sa` and `ikev2_decryption_table`, in the
folder with its preferences; 4.0 knows no way to carry them in a capture. Only keys of a lab, which
nobody ever used for anything, are written so.
"""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from lab.xfrm.ip_output import Algorithm, State

PREFERENCES = """\
esp.enable_encryption_decode: TRUE
esp.enable_authentication_check: TRUE
gui.column.format:
	"No.", "%m",
	"Time", "%t",
	"From", "%Cus:frame.interface_name:0:R",
	"Source", "%s",
	"Destination", "%d",
	"Protocol", "%p",
	"Length", "%L",
	"Info", "%i"
"""
"""ESP is opened, its ICV checked; the column `From` is the port that sent a frame."""

_ENCRYPTION = {
    "cbc(aes)": "AES-CBC [RFC3602]",
    "rfc3686(ctr(aes))": "AES-CTR [RFC3686]",
    "rfc4106(gcm(aes))": "AES-GCM with 16 octet ICV [RFC4106]",
    "ecb(cipher_null)": "NULL",
}
"""The kernel's name → Wireshark's. SAs with others stay closed (ChaCha20: in Wireshark 4.0)."""
_INTEGRITY = {
    ("hmac(sha1)", 96): "HMAC-SHA-1-96 [RFC2404]",
    ("hmac(sha256)", 128): "HMAC-SHA-256-128 [RFC4868]",
    ("hmac(sha384)", 192): "HMAC-SHA-384-192 [RFC4868]",
    ("hmac(sha512)", 256): "HMAC-SHA-512-256 [RFC4868]",
}
"""The kernel's name, bits of the ICV → Wireshark's name."""
_PATIENCE = 10.0
"""Seconds that a program may take to report its version."""
_NOTHING = Algorithm("ecb(cipher_null)", b"")
_AEAD_ICV = {64: "8", 96: "12", 128: "16"}


@functools.cache
def takes_esn() -> bool:
    """Whether the Wireshark that is installed has the column of extended sequence numbers.

    4.0 has not, and warns of it at each row. If none is installed, that of today is assumed.
    """
    for program in ("tshark", "wireshark"):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            command = [program, "--version"]
            done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)
            return _has_esn(done.stdout.decode(errors="replace"))
    return True


def _has_esn(version: str) -> bool:
    found = re.search(r"(\d+)\.(\d+)", version)
    return found is None or tuple(map(int, found.groups())) > (4, 0)


def files(
    states: Iterable[State], ike_keys: Iterable[str], *, esn: bool = True
) -> Mapping[str, str]:
    """The folder's files, name -> text.

    Args:
        states: SAs with their keys.
        ike_keys: rows that the Key Managers have written.
        esn: see `takes_esn`.
    """
    rows = dict.fromkeys(ike_keys)
    return {
        "preferences": PREFERENCES,
        "esp_sa": "".join(_esp_rows(states, esn=esn)),
        **({"ikev2_decryption_table": "".join(f"{row}\n" for row in rows)} if rows else {}),
    }


def _esp_rows(states: Iterable[State], *, esn: bool) -> Iterator[str]:
    """A row for each SA; both ends report each, it is written once."""
    known = {(sa.dst, sa.spi): sa for sa in states if sa.proto == "esp"}
    for sa in known.values():
        if (sa.aead or sa.encryption or _NOTHING).name in _ENCRYPTION:
            yield ",".join(f'"{cell}"' for cell in _cells(sa, esn=esn)) + "\n"


def _cells(sa: State, *, esn: bool) -> tuple[str, ...]:
    """The columns of esp_sa. Behind a NAT the addresses on a link are not the SA's: any will do.

    Where the last column is missing, versions that have it take 32 bits.
    """
    family = "IPv6" if ip_address(sa.dst).version == 6 else "IPv4"
    ends = ("*", "*") if sa.encap else (sa.src, sa.dst)
    algorithms = (*_encryption(sa), *_integrity(sa))
    return (family, *ends, f"0x{sa.spi:08x}", *algorithms, *(["64-bit"] if esn and sa.esn else []))


def _encryption(sa: State) -> tuple[str, str]:
    chosen = sa.aead or sa.encryption or _NOTHING
    name = _ENCRYPTION[chosen.name]
    if chosen.name == "rfc4106(gcm(aes))":
        name = name.replace("16", _AEAD_ICV.get(chosen.icv_bits, "16"), 1)
    return name, _hexadecimal(chosen.key)


def _integrity(sa: State) -> tuple[str, str]:
    """Wireshark 4.0 knows no extended sequence numbers and would call good ICVs wrong."""
    if sa.aead or sa.integrity is None:
        return "NULL", ""
    bits = sa.integrity.icv_bits
    known = None if sa.esn else _INTEGRITY.get((sa.integrity.name, bits))
    return known or f"ANY {bits} bit authentication [no checking]", _hexadecimal(sa.integrity.key)


def _hexadecimal(octets: bytes) -> str:
    return f"0x{octets.hex()}" if octets else ""
