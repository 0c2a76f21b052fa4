# SPDX-License-Identifier: GPL-2.0-or-later
"""SKEYSEED, SK_* and KEYMAT against the original's own values and NIST's, octet for octet."""

import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384

from tests.unit.tkm.vectors import nist, recorded
from tkm.algorithms import ORIGINAL
from tkm.crypto import derivation
from tkm.crypto.derivation import (
    ChildKeys,
    IkeKeys,
    Roles,
    child_keys,
    ike_keys,
    rekeyed_ike_keys,
    updated_ike_keys,
)
from tkm.crypto.prf import Prf
from tkm.crypto.secret import Secret, wipe_bytes
from tkm.crypto.suite import IKE

SUITE = IKE[ORIGINAL]
PROTECTION, PRF_HMAC_SHA2_512 = SUITE
PRFS = {
    "HMAC-SHA-1": Prf(SHA1()),
    "HMAC-SHA-256": Prf(SHA256()),
    "HMAC-SHA-384": Prf(SHA384()),
    "HMAC-SHA-512": PRF_HMAC_SHA2_512,
}


def secret(octets: bytes | str) -> Secret:
    return Secret(bytearray(bytes.fromhex(octets) if isinstance(octets, str) else octets))


def joined(keys: IkeKeys | ChildKeys) -> bytes:
    return b"".join(key.octets for key in keys)


def prf(name: str, key: bytes, *parts: bytes) -> bytes:
    """prf, once more and in other words than the TKM's."""
    return hmac.new(key, b"".join(parts), name).digest()


def expand(name: str, key: bytes, seed: bytes, length: int) -> bytes:
    """prf+, once more."""
    blocks = [b""]
    while sum(map(len, blocks)) < length:
        blocks.append(prf(name, key, blocks[-1], seed, bytes([len(blocks)])))
    return b"".join(blocks)[:length]


class Case:
    """One of NIST's cases, in octets."""

    def __init__(self, number: int) -> None:
        case = nist()[number]
        self.prf = PRFS[case["prf"]]
        self.suite = SUITE._replace(prf=self.prf)
        self.values = {name: bytes.fromhex(value) for name, value in case.items() if name != "prf"}
        self.roles = Roles(*(self.values[name] for name in ("ni", "nr", "spi_i", "spi_r")))
        self.sk_d = self.values["keymat"][: self.prf.length]

    def __getitem__(self, name: str) -> bytes:
        return self.values[name]

    def agrees(self, name: str, octets: bytes) -> bool:
        """prf+ gives a stream: what both have of it must be the same."""
        length = min(len(self[name]), len(octets))
        return length > 100 and self[name][:length] == octets[:length]


def test_all_cases_are_here() -> None:
    assert len(nist()) == 180
    assert {case["prf"] for case in nist()} == set(PRFS)


@pytest.mark.parametrize("number", range(180))
def test_nist(number: int) -> None:
    case = Case(number)
    first = ike_keys(case.roles, secret(case["shared_secret"]), case.suite)
    assert case.agrees("keymat", joined(first))
    plain = child_keys(case.roles, secret(case.sk_d), [], case.prf, PROTECTION)
    assert case.agrees("child_keymat", joined(plain))
    new = case["shared_secret_new"]
    with_pfs = child_keys(case.roles, secret(case.sk_d), [secret(new)], case.prf, PROTECTION)
    assert case.agrees("child_keymat_pfs", joined(with_pfs))
    rekeyed = joined(
        rekeyed_ike_keys(case.roles, secret(case.sk_d), [secret(new)], case.prf, case.suite)
    )
    seed = b"".join(case.roles)
    assert rekeyed == expand(case.prf.hash.name, case["skeyseed_rekey"], seed, len(rekeyed))


@pytest.mark.parametrize("row", recorded()["ike"], ids=lambda row: row["run"])
def test_recorded_ike_keys(row: Any) -> None:
    skeyseed, seed = bytes.fromhex(row["skeyseed"]), bytes.fromhex(row["seed"])
    lengths = IkeKeys.lengths(SUITE)
    found = IkeKeys(PRF_HMAC_SHA2_512.plus(skeyseed, seed, sum(lengths)), lengths)
    # The original makes no SK_p* for an IKE SA that replaces another.
    names = [name for name in ("d", "ai", "ar", "ei", "er", "pi", "pr") if name in row]
    assert len(names) in (5, 7)
    assert {name: bytes(getattr(found, name).octets).hex() for name in names} == {
        name: row[name] for name in names
    }


@pytest.mark.parametrize("row", recorded()["child"], ids=lambda row: row["run"])
def test_recorded_child_keys(row: Any) -> None:
    seed = bytes.fromhex(row["seed"])
    shared, nonces = seed[:-64], seed[-64:]
    assert len(shared) in (0, 512)
    secrets = [secret(shared)] if shared else []
    roles = Roles(nonces[:32], nonces[32:])
    keys = child_keys(roles, secret(row["sk_d"]), secrets, PRF_HMAC_SHA2_512, PROTECTION)
    found = {name: value for name, value in row.items() if name not in ("run", "sk_d", "seed")}
    assert len(found) == 4
    assert {name: bytes(getattr(keys, name).octets).hex() for name in found} == found


def test_recordings_have_both_kinds_of_child() -> None:
    assert {len(row["seed"]) // 2 for row in recorded()["child"]} == {64, 64 + 512}


def test_further_key_exchanges_follow_the_nonces() -> None:
    roles, sk_d = Roles(b"i" * 32, b"r" * 32, b"I" * 8, b"R" * 8), b"d" * 64
    shared = [secret(b"0" * 384), secret(b"1" * 512), secret(b"2" * 384)]
    parts = (b"0" * 384, roles.nonces, b"1" * 512, b"2" * 384)
    child = joined(child_keys(roles, secret(sk_d), shared, PRF_HMAC_SHA2_512, PROTECTION))
    assert child == expand("sha512", sk_d, b"".join(parts), 192)
    skeyseed = prf("sha512", sk_d, *parts)
    rekeyed = joined(rekeyed_ike_keys(roles, secret(sk_d), shared, PRF_HMAC_SHA2_512, SUITE))
    assert rekeyed == expand("sha512", skeyseed, b"".join(roles), 384)


def test_the_old_prf_makes_skeyseed_and_the_new_one_the_keys() -> None:
    """RFC 7296, 2.18."""
    roles, sk_d = Roles(b"i" * 32, b"r" * 32, b"I" * 8, b"R" * 8), b"d" * 32
    skeyseed = prf("sha256", sk_d, b"0" * 32, roles.nonces)
    keys = rekeyed_ike_keys(roles, secret(sk_d), [secret(b"0" * 32)], PRFS["HMAC-SHA-256"], SUITE)
    assert joined(keys) == expand("sha512", skeyseed, b"".join(roles), 384)


def test_a_key_exchange_in_ike_intermediate() -> None:
    roles, sk_d = Roles(b"i" * 32, b"r" * 32, b"I" * 8, b"R" * 8), b"d" * 64
    skeyseed = prf("sha512", sk_d, b"1" * 512, roles.nonces)
    updated = joined(updated_ike_keys(roles, secret(sk_d), secret(b"1" * 512), SUITE))
    assert updated == expand("sha512", skeyseed, b"".join(roles), 384)


def test_a_shared_secret_of_384_octets_is_hashed_as_such() -> None:
    roles = Roles(b"i" * 32, b"r" * 32, b"I" * 8, b"R" * 8)
    skeyseed = prf("sha512", roles.nonces, b"s" * 384)
    keys = joined(ike_keys(roles, secret(b"s" * 384), SUITE))
    assert keys == expand("sha512", skeyseed, b"".join(roles), 384)


def test_no_copy_of_a_secret_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = {}

    def wipe(octets: Any) -> None:
        before = bytes(bytearray(octets))
        wipe_bytes(octets)
        copies[before] = octets

    monkeypatch.setattr(derivation, "wipe_bytes", wipe)
    roles, sk_d, new = Roles(b"i" * 32, b"r" * 32), b"d" * 64, b"s" * 384
    rekeyed_ike_keys(roles, secret(sk_d), [secret(new)], PRF_HMAC_SHA2_512, SUITE)
    child_keys(roles, secret(sk_d), [secret(new)], PRF_HMAC_SHA2_512, PROTECTION)
    assert copies == {sk_d: bytes(64), new + roles.nonces: bytes(384 + 64)}


def test_prf_plus_ends_where_its_counter_does() -> None:
    most = 254 * 64
    stream = PRF_HMAC_SHA2_512.plus(b"key", b"seed", most)
    assert bytes(stream.octets) == expand("sha512", b"key", b"seed", most)
    with pytest.raises(ValueError, match=r"prf\+ ends at 16256 octets"):
        PRF_HMAC_SHA2_512.plus(b"key", b"seed", most + 1)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 192])
def test_prf_plus_of_any_length(length: int) -> None:
    octets = bytes(PRF_HMAC_SHA2_512.plus(b"key", b"seed", length).octets)
    assert octets == expand("sha512", b"key", b"seed", length)


def test_prf_plus_leaves_its_seed_alone() -> None:
    seed = b"seed of " * 8
    PRF_HMAC_SHA2_512.plus(b"key", seed, 64)
    assert seed == b"seed of " * 8


@pytest.mark.parametrize("initiator", [True, False])
def test_roles_are_by_role_not_by_side(initiator: bool) -> None:
    roles = Roles.of(initiator, (b"loc", b"spi_loc"), (b"rem", b"spi_rem"))
    ours, theirs = (b"loc", b"spi_loc"), (b"rem", b"spi_rem")
    first, second = (ours, theirs) if initiator else (theirs, ours)
    assert roles == (first[0], second[0], first[1], second[1])
    assert roles.nonces == first[0] + second[0]
