# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE keys leave the Key Manager only when both its command line and its environment want it."""

import os
from hashlib import sha512
from hmac import digest
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from tests.unit.tkm.conversation import MODP_3072, Conversation
from tests.unit.trusted import hosts
from tkm.daemon.expose import PERMISSION, Exposure
from tkm.errors import ConfigError
from tkm.rpc import rpc2

PLAIN = bytes(range(64))


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PERMISSION, "yes")


@pytest.fixture
def talk(tmp_path: Path, allowed: Any) -> Any:
    """A conversation whose initiator exposes its keys."""
    alice, bob = hosts()
    alice.manager.observe_ike_keys(Exposure(str(tmp_path / "keys")).of)
    return Conversation(alice, bob).start(MODP_3072)


def rows(tmp_path: Path) -> Any:
    return [line.split(",") for line in (tmp_path / "keys").read_text().splitlines()]


def opened(row: Any, aad: Any, protected: Any) -> Any:
    """A message of the initiator's, opened with a row of the table alone."""
    key, integrity = bytes.fromhex(row[2]), bytes.fromhex(row[5])
    body, icv = protected[:-32], protected[-32:]
    assert digest(integrity, aad + body, sha512)[:32] == icv
    cipher = Cipher(AES(key), CBC(body[:16])).decryptor()
    return cipher.update(body[16:]) + cipher.finalize()


def test_a_row_opens_what_the_initiator_sends(talk: Any, tmp_path: Path) -> None:
    (row,) = rows(tmp_path)
    assert bytes.fromhex(row[0]) == talk.initiator.spi
    assert bytes.fromhex(row[1]) == talk.responder.spi
    assert (row[4], row[7]) == ('"AES-CBC-256 [RFC3602]"', '"HMAC_SHA2_512_256 [RFC4868]"')
    request = rpc2.IsaEncrypt(isa=1, aad_length=4, message=b"head" + PLAIN)
    assert opened(row, b"head", talk.initiator.call(request).protected) == PLAIN


def test_each_ike_sa_has_its_row(talk: Any, tmp_path: Path) -> None:
    talk.rekey_ike(talk.initiator.host, 2, MODP_3072)
    assert len({tuple(row) for row in rows(tmp_path)}) == 2


def test_the_file_is_for_its_owner_alone(talk: Any, tmp_path: Path) -> None:
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["", "no", "1", None])
def test_refused_where_the_environment_does_not_want_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv(PERMISSION, raising=False)
    if value is not None:
        monkeypatch.setenv(PERMISSION, value)
    with pytest.raises(ConfigError, match=PERMISSION):
        Exposure(str(tmp_path / "keys"))
    assert not (tmp_path / "keys").exists()


def test_a_file_that_others_read_and_a_link_are_refused(tmp_path: Path, allowed: Any) -> None:
    (tmp_path / "open").write_text("")
    (tmp_path / "open").chmod(0o640)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("open", "link", "no/folder"):
        with pytest.raises(ConfigError, match=name):
            Exposure(str(tmp_path / name))
    assert not (tmp_path / "target").exists()


def test_a_file_that_cannot_be_written_holds_up_nobody(
    tmp_path: Path, allowed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = hosts()
    exposure = Exposure(str(tmp_path / "keys"))
    alice.manager.observe_ike_keys(exposure.of)
    os.close(exposure._file)
    exposure._file = os.open(tmp_path / "keys", os.O_RDONLY)
    Conversation(alice, bob).start(MODP_3072)
    os.close(exposure._file)
    assert "IKE keys of ISA context 1 are not exposed" in caplog.text
