# SPDX-License-Identifier: GPL-2.0-or-later
"""Certification paths where names do not identify a CA, judged by a real TKM."""

import random
from collections.abc import Sequence
from itertools import islice, permutations

import pytest

from ike.config.model import Authority, Configuration
from ike.engine.path_building import LONGEST, PathBuilder
from ike.x509 import Certificate
from tests.unit.ike.authorities import issue, key
from tests.unit.ike.engine.test_setup import put
from tests.unit.ike.network import Network
from tests.unit.trusted import identity, pki
from tkm.certs import path

ROOT, OTHER_ROOT, OLD, NEW = range(4)
BOB = identity("bob")
GARBAGE = Certificate(b"\x30\x03\x02\x01\x01", b"", b"", b"")


def root(own: int = ROOT, *, key_ids: bool = True) -> Certificate:
    return issue("root", key(own), "root", key(own), key_ids=key_ids)


def issuing(
    own: int, signer: int = ROOT, *, expired: bool = False, key_ids: bool = True
) -> Certificate:
    return issue("issuing", key(own), "root", key(signer), expired=expired, key_ids=key_ids)


def bob(signer: int, issuer: str = "issuing", *, key_ids: bool = True) -> Certificate:
    own = pki().keys["bob"]
    return issue("bob", own, issuer, key(signer), identity=BOB, key_ids=key_ids)


def is_accepted(
    sent: Sequence[Certificate],
    anchors: Sequence[Certificate],
    known: Sequence[Certificate] = (),
) -> bool:
    """Whether alice, whose TKM has these trust anchors, accepts bob with these certificates."""
    network = Network(1)
    put(network.bob, certificates=tuple(sent))
    alice = network.alice
    context = alice.engine.context
    authorities = tuple(Authority(number, each) for number, each in enumerate(anchors, 1))
    connections = context.configuration.connections
    context.configuration = Configuration(connections, authorities, tuple(known))
    loaded = {number: path.load(each.der) for number, each in enumerate(anchors, 1)}
    alice.manager.chains._rules.anchors = loaded
    network.ping(alice)
    network.run(1)
    return bool(alice.states())


@pytest.mark.parametrize("key_ids", [True, False])
def test_rekeyed_renewed_and_cross_signed_in_any_order(key_ids: bool) -> None:
    others = [
        issuing(OLD, key_ids=key_ids),
        issuing(OLD, expired=True, key_ids=key_ids),
        issuing(NEW, key_ids=key_ids),
        issuing(OLD, OTHER_ROOT, key_ids=key_ids),
    ]
    anchor, peer = root(key_ids=key_ids), bob(OLD, key_ids=key_ids)
    for order in islice(permutations(others), 0, None, 5):
        assert is_accepted([peer, *order], [anchor])
    assert not is_accepted([peer, *others[1:]], [anchor])


@pytest.mark.parametrize("key_ids", [True, False])
def test_trust_anchors_of_one_name(key_ids: bool) -> None:
    anchors = [root(ROOT, key_ids=key_ids), root(OTHER_ROOT, key_ids=key_ids)]
    for signer in (ROOT, OTHER_ROOT):
        for trusted in (anchors, anchors[::-1]):
            assert is_accepted([bob(signer, "root", key_ids=key_ids)], trusted)
            chain = [bob(OLD, key_ids=key_ids), issuing(OLD, signer, key_ids=key_ids)]
            assert is_accepted(chain, trusted)
    assert not is_accepted([bob(OTHER_ROOT, "root")], anchors[:1])


def test_a_self_issued_certificate_leads_from_the_old_key_to_the_new() -> None:
    """As in NIST PKITS 4.5.1 and 4.5.3."""
    for old, new in ((OLD, NEW), (NEW, OLD)):
        bridge = issue("issuing", key(old), "issuing", key(new))
        for rest in permutations([issuing(new), bridge]):
            assert is_accepted([bob(old), *rest], [root()])


def test_a_root_rollover_certificate() -> None:
    new_with_old = issue("root", key(OTHER_ROOT), "root", key(ROOT))
    assert is_accepted([bob(OTHER_ROOT, "root"), new_with_old], [root(ROOT)])
    assert is_accepted([bob(OTHER_ROOT, "root"), new_with_old, root(OTHER_ROOT)], [root(ROOT)])


def test_what_cannot_be_read_is_passed_over_wherever_it_is() -> None:
    chain = [bob(OLD), issuing(OLD)]
    for place in range(3):
        assert is_accepted([*chain[:place], GARBAGE, *chain[place:]], [root()])
    assert not is_accepted([GARBAGE], [root()])


def test_the_peers_certificate_may_come_last() -> None:
    assert is_accepted([issuing(OLD), bob(OLD)], [root()])
    assert is_accepted([root(), issuing(NEW), issuing(OLD), bob(OLD)], [root()])


def test_cas_that_we_have_help_a_peer_that_sends_its_own_certificate_alone() -> None:
    assert is_accepted([bob(OLD)], [root()], known=[issuing(NEW), root(), issuing(OLD)])
    assert not is_accepted([bob(OLD)], [root()], known=[issuing(NEW)])


def test_a_wrong_key_identifier_does_not_mislead() -> None:
    """A CA of the right identifier and the wrong key is tried first, then the others."""
    right = issuing(OLD, key_ids=False)
    wrong = issuing(NEW)
    at = wrong.der.index(wrong.key_id)
    forged = wrong.der[:at] + bob(OLD).issuer_key_id + wrong.der[at + 20 :]
    assert is_accepted([bob(OLD), Certificate.read(forged), right], [root()])


@pytest.mark.parametrize("written", ["ISSUING", "Issuing"])
def test_names_that_are_written_differently(written: str) -> None:
    """RFC 5280, 7.1; as in NIST PKITS 4.3.3 to 4.3.11."""
    assert is_accepted([bob(OLD, written), issuing(OLD)], [root()])
    assert is_accepted([bob(OLD, written)], [root()], known=[issuing(OLD)])
    assert not is_accepted([bob(OLD, f"{written}s"), issuing(OLD)], [root()])


def test_a_refused_link_is_not_tried_again() -> None:
    """Ten keys on each of two levels are a hundred paths: each refusal rules out ten."""
    names = ["bob", "low", "high"]
    levels = [
        [
            Certificate(b"%s %d" % (name.encode(), each), above.encode(), name.encode(), b"")
            for each in range(count)
        ]
        for name, above, count in zip(names, ["low", "high", "root"], [1, 10, 10], strict=True)
    ]
    anchor = Certificate(b"root", b"root", b"root", b"")
    builder = PathBuilder([each for level in levels for each in level], [], [anchor])
    asked = 0
    for found in builder.paths():
        asked += 1
        builder.refuse(found[:2])
    assert asked == 10


def test_a_loop_ends() -> None:
    one = Certificate(b"1", b"two", b"one", b"")
    two = Certificate(b"2", b"one", b"two", b"")
    anchor = Certificate(b"3", b"top", b"top", b"")
    assert list(PathBuilder([one, two], [], [anchor]).paths()) == []


def test_hundreds_of_certificates_of_one_name_end_soon() -> None:
    same = [Certificate(b"%d" % each, b"x", b"x", b"") for each in range(250)]
    anchor = Certificate(b"anchor", b"x", b"x", b"")
    found = list(PathBuilder(same, [], [anchor]).paths())
    assert 0 < len(found) < 2000


def test_no_path_is_longer_than_the_tkm_accepts() -> None:
    assert LONGEST == path.LONGEST_PATH
    row = [Certificate(b"%d" % n, b"n%d" % (n + 1), b"n%d" % n, b"") for n in range(LONGEST)]
    random.Random(1).shuffle(others := row[1:])
    for number, found in ((LONGEST - 1, True), (LONGEST, False)):
        name = b"n%d" % number
        anchor = Certificate(b"anchor", name, name, b"")
        assert bool(list(PathBuilder([row[0], *others], [], [anchor]).paths())) == found
