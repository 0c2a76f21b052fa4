# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs at their edges: options, files, exit codes, one clear line for each error."""

import dataclasses
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import keys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lab.pki import CA
from tests.unit.tkm.keymanager_files import OWN, key_der, options
from tests.unit.tkm.test_xml import TUNNEL as XML
from tests.unit.trusted import config_of, pki
from tkm.config import conf
from tkm.config.keys import load_anchors, load_private_key, load_private_keys
from tkm.config.policy import Config, check_generation_1
from tkm.daemon import logs, main
from tkm.errors import ConfigError
from tkm_cfgtool import main as cfgtool
from xfrm_proxy import main as proxy

LINE = re.compile(r"[A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d .+")


def run(program: Any, *arguments: Any) -> Any:
    """Exit code and what went to standard error, of the program as a process."""
    done = subprocess.run(
        [sys.executable, "-m", program, *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()


def cfgtool_run(
    folder: Path,
    xml: Any,
    capsys: pytest.CaptureFixture[str],
    *options: Any,
    ike: Any = "swanctl.conf",
) -> Any:
    (folder / "config.xml").write_text(xml)
    files = ["-c", f"{folder}/config.xml", "-i", f"{folder}/{ike}", "-t", f"{folder}/tkm.conf"]
    code = cfgtool.main([*files, *options])
    return code, capsys.readouterr().err.splitlines()


def test_cfgtool_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cfgtool_run(tmp_path, XML, capsys) == (0, [])
    assert list(conf.load(tmp_path / "tkm.conf").policies) == [7]
    assert "reqid = 7" in (tmp_path / "swanctl.conf").read_text()


@pytest.mark.parametrize(
    ("options", "esn"),
    [((), True), (("--rpc", "2"), True), (("--rpc", "1"), False), (("--format", "ipsec"), False)],
)
def test_cfgtool_offers_esn_to_who_can_tell_the_tkm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Any, esn: bool
) -> None:
    assert cfgtool_run(tmp_path, XML, capsys, *options) == (0, [])
    assert ("-esn-noesn" in (tmp_path / "swanctl.conf").read_text()) == esn


def test_cfgtool_and_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = cfgtool_run(tmp_path, XML.replace("tunnel", "beet"), capsys)
    assert code == 1
    place = f"{tmp_path}/config.xml: line 7: <mode>"
    assert lines == [f"tkm_cfgtool: {place}: 'beet' is neither transport nor tunnel"]
    assert not (tmp_path / "tkm.conf").exists()
    assert not (tmp_path / "swanctl.conf").exists()


def test_cfgtool_and_files_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = f"{tmp_path}/missing"
    assert cfgtool.main(["-c", missing, "-i", missing, "-t", missing]) == 1
    assert capsys.readouterr().err == f"tkm_cfgtool: {missing}: No such file or directory\n"
    code, lines = cfgtool_run(tmp_path, XML, capsys, ike="no/folder")
    assert (code, lines) == (1, [f"tkm_cfgtool: {tmp_path}/no/folder: No such file or directory"])


@pytest.mark.parametrize(
    "program", ["tkm_cfgtool.main", "tkm.daemon.main", "xfrm_proxy.main"], ids=lambda name: name
)
def test_wrong_use_is_2(program: str) -> None:
    code, lines = run(program, "--no-such-option")
    assert code == 2
    assert lines[-1].endswith(("--no-such-option", "are required: -c, -k, -r", ": -c, -i, -t"))
    code, lines = run(program, "--version")
    assert (code, lines) == (0, [])


@pytest.mark.parametrize("main", [main.main, cfgtool.main, proxy.main])
def test_wrong_use_in_this_process(main: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--no-such-option"])
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


def fails(folder: Path, **instead: Any) -> Any:
    """The one critical line with which tkm_keymanager gives up."""
    socket_path = folder / "socket"
    code, lines = run("tkm.daemon.main", *options(folder, **instead), "--socket", socket_path)
    assert code == 1
    assert all(LINE.fullmatch(line) for line in lines)
    assert not socket_path.exists()
    return lines[-1].split(" ", 4)[-1]


def test_keymanager_and_a_key_that_others_may_read(files: Path) -> None:
    (files / "key.der").chmod(0o644)
    assert fails(files) == (
        f"private key '{files}/key.der' is open to others: chmod 600 {files}/key.der"
    )


def test_keymanager_and_a_configuration_of_another_version(files: Path) -> None:
    (files / "tkm.conf").write_text("version = 9")
    assert fails(files) == (f"{files}/tkm.conf: version 9 is unknown, this program reads 1")


def test_keymanager_and_a_socket_that_is_taken(files: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(f"{files}/taken")
        other.listen()
        code, lines = run("tkm.daemon.main", *options(files), "--socket", files / "taken")
        assert code == 1
        assert lines[-1].endswith(f"{files}/taken: another process serves it")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602, 0o601, 0o666])
def test_modes_that_are_too_open(files: Path, mode: int) -> None:
    (files / "key.der").chmod(mode)
    if mode & 0o027:
        with pytest.raises(ConfigError, match="is open to others"):
            load_private_key(files / "key.der")


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640])
def test_modes_that_are_not(files: Path, mode: int) -> None:
    (files / "key.der").chmod(mode)
    assert load_private_key(files / "key.der").key_size == 3072


def write_own(file: Any, octets: Any) -> None:
    file.write_bytes(octets)
    file.chmod(OWN)


def test_keys_for_identities(files: Path) -> None:
    alice, bob = files / "key.der", files / "bob.der"
    write_own(bob, key_der(pki().keys["bob"]))
    keys = load_private_keys(f"{alice},{bob}:2", {1, 2})
    assert keys[0].private_numbers() == pki().keys["alice"].private_numbers()
    assert keys[2].private_numbers() == pki().keys["bob"].private_numbers()
    for wrong, told in (
        (f"{alice}:1,{bob}:1", "local identity number 1 is given twice"),
        (f"{alice},{bob}", "local identity number of all others is given twice"),
        (f"{alice}:x", "local identity number 'x' is not a number from 1 up"),
        (f"{alice}:3", "no local identity 3"),
    ):
        with pytest.raises(ConfigError, match=told):
            load_private_keys(wrong, {1, 2})


def test_each_local_identity_has_a_key(files: Path) -> None:
    key = files / "key.der"
    assert set(load_private_keys(f"{key}:1,{key}:2", {1, 2})) == {1, 2}
    with pytest.raises(ConfigError, match="local identity 2 has no private key: add KEY"):
        load_private_keys(f"{key}:1", {1, 2})


def test_generation_1_has_local_identity_1_alone() -> None:
    config = config_of("alice")
    check_generation_1(config)
    policy = config.policies[1]
    other = dataclasses.replace(policy.local, identity_id=2)
    with pytest.raises(ConfigError, match="policy 1: generation 1 signs for local identity 1 "):
        check_generation_1(Config({}, {1: dataclasses.replace(policy, local=other)}))


def test_keys_that_are_none(files: Path) -> None:
    key, file = pki().keys["alice"], files / "other.der"
    with pytest.raises(ConfigError, match=r"other.der': No such file"):
        load_private_key(file)
    password = serialization.BestAvailableEncryption(b"secret")
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for octets in (b"", b"no key", key_der(key)[:-1], key_der(key, password), pem):
        write_own(file, octets)
        with pytest.raises(ConfigError, match="is no private key in DER without password"):
            load_private_key(file)
    write_own(file, key_der(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(ConfigError, match=r"other.der' is not RSA"):
        load_private_key(file)
    write_own(file, key_der(rsa.generate_private_key(65537, 1024)))
    with pytest.raises(ConfigError, match=r"other.der' has 1024 bits, not 2048 to 16384: take one"):
        load_private_key(file)
    write_own(file, key_der(rsa.generate_private_key(3, 2048)))
    with pytest.raises(ConfigError, match="has an exponent that is not odd and of 17 to 256 bits"):
        load_private_key(file)
    with pytest.raises(ConfigError, match="Is a directory"):
        load_private_key(files)


@pytest.mark.parametrize("part", ["public_exponent", "prime1", "prime2"])
def test_a_key_whose_signatures_do_not_verify(files: Path, part: str) -> None:
    """OpenSSL is not asked to prove that the factors are prime: signatures decide."""
    key, file = pki().keys["alice"], files / "other.der"
    der = keys.PrivateKeyInfo.load(key_der(key))["private_key"].parsed.dump()
    parts = {**keys.RSAPrivateKey.load(der).native, "version": "two-prime"}
    del parts["other_prime_infos"]
    parts[part] += 2 if part == "public_exponent" else 1
    write_own(file, keys.RSAPrivateKey(parts).dump())
    with pytest.raises(ConfigError, match=r"other.der' makes signatures that its public key ref"):
        load_private_key(file)


def test_anchors(files: Path) -> None:
    ca = files / "ca.der"
    assert list(load_anchors(f"{ca}")) == [1]
    assert list(load_anchors(f"{ca}:7")) == [7]
    assert list(load_anchors(f"{ca}:2,{ca},{ca}:3")) == [2, 1, 3]
    for specification, reason in (
        (f"{ca}:0", "CA number '0' is not a number from 1 up"),
        (f"{ca}:x", "CA number 'x' is not a number"),
        (f"{ca}:-1", "CA number '-1' is not a number"),
        (f"{ca},{ca}:1", "CA number 1 is given twice"),
        (f"{files}/none:1", "none': No such file"),
        ("", "Is a directory"),
        (f"{files}/tkm.conf", "not a certificate"),
    ):
        with pytest.raises(ConfigError, match=re.escape(reason)):
            load_anchors(specification)


def test_anchors_that_are_none(files: Path) -> None:
    now, day, key = datetime.now(UTC), timedelta(days=1), pki().keys["alice"]
    bad = {
        "expired": CA("x", key=key, not_before=now - 2 * day, not_after=now - day),
        "not valid before": CA("x", key=key, not_before=now + day, not_after=now + 2 * day),
        "its CA flag is not set": CA("x", key=key, ca=False),
    }
    for reason, ca in bad.items():
        (files / "bad.der").write_bytes(ca.certificate.der)
        with pytest.raises(ConfigError, match=f"^CA certificate '{files}/bad.der': .*{reason}"):
            load_anchors(f"{files}/bad.der")


@pytest.fixture
def logging_as_before() -> Iterator[Any]:
    """What a program sets up for itself ends with the test."""
    root = logging.getLogger()
    handlers, level, made = root.handlers[:], root.level, logging.getLogRecordFactory()
    yield
    for own in set(root.handlers) - set(handlers):
        own.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.setLogRecordFactory(made)
    logging.captureWarnings(False)


@pytest.mark.usefixtures("logging_as_before")
def test_syslog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(tmp_path / "log"))
        syslog.settimeout(10)
        monkeypatch.setattr(logs, "_SYSLOG_SOCKET", str(tmp_path / "log"))
        logs.to(logs.SYSLOG, program="tkm_keymanager")
        logging.getLogger("tkm").warning("nc_create refused: %s", "a\nb")
        logging.getLogger("tkm").info("Nonce of length %d requested", 32)
        daemon, warning, info = 3 << 3, 4, 6
        assert [syslog.recv(4096).rstrip(b"\0").decode() for _ in range(2)] == [
            f"<{daemon | warning}>tkm_keymanager: nc_create refused: a\\nb",
            f"<{daemon | info}>tkm_keymanager: Nonce of length 32 requested",
        ]


@pytest.mark.usefixtures("logging_as_before")
def test_a_full_disk_is_told_once(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "log"
    target.symlink_to("/dev/full")
    logs.to(str(target))
    log = logging.getLogger("tkm")
    log.info("one")
    log.info("two")
    assert capfd.readouterr().err == f"log lines are lost: {target}: No space left on device\n"
    target.unlink()
    logs.reopen()
    log.info("three %d", 3)
    assert target.read_text().endswith(" three 3\n")
    assert not capfd.readouterr().err


@pytest.mark.usefixtures("logging_as_before")
def test_a_file_that_cannot_be_opened_anew_stays(tmp_path: Path) -> None:
    target, moved = tmp_path / "log", tmp_path / "log.1"
    logs.to(str(target))
    target.rename(moved)
    target.mkdir()
    logs.reopen()
    logging.getLogger("tkm").info("still here")
    told, still = moved.read_text().splitlines()
    assert told.endswith(f" The log file stays the old one: {target}: Is a directory")
    assert still.endswith(" still here")


@pytest.mark.usefixtures("logging_as_before")
def test_log_lines_have_the_form_of_the_original_and_are_lines(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.to()
    logging.getLogger("tkm").info("Adding certificate '%s'", "CN=x\nAuthentication\x1b[2K é")
    (line,) = capfd.readouterr().err.splitlines()
    assert LINE.fullmatch(line)
    assert line.endswith(" Adding certificate 'CN=x\\nAuthentication\\x1b[2K é'")


def test_nothing_needs_more_than_its_own_memory() -> None:
    # Importing the TKM must not bring in what it has no use for.
    code = "import sys, tkm.daemon.main; print(*sorted({n.partition('.')[0] for n in sys.modules}))"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout.split()  # fmt: skip
    assert not {"ike", "lab", "scapy", "click", "rich", "asyncio"} & set(modules)
