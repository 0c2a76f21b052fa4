# SPDX-License-Identifier: GPL-2.0-or-later
"""Setting up, deleting and renewing SAs."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from ike.engine.events import ChildSaInstalled
from ike.message.errors import OutOfContexts
from ike.vici.message import Section
from tests.unit.ike.vici.client import Client


def test_a_rekeying_is_not_what_initiate_waits_for(client: Client) -> None:
    client.begin("initiate", child="net")
    rekeyed = ChildSaInstalled(1, "net", 1, b"newl", b"newr", b"oldl")
    client.session.take(rekeyed)
    client.session.proceed()
    assert not client.session.to_send


def test_initiate_waits_for_the_child_sa(client: Client) -> None:
    client.begin("initiate", child="net", ike="to-bob")
    assert client.session.job
    assert client.wait() == {"success": "yes"}
    assert client.network.is_up()


@pytest.mark.parametrize("side", ["alice", "bob"])
def test_initiate_what_stands(client: Client, side: str) -> None:
    network = client.network
    network.ping(getattr(network, side))
    network.run_until(network.is_up)
    network.run(5)
    before = network.alice.states(), len(network.sent)
    for _ in range(3):
        assert client.ask("initiate", child="net") == {"success": "yes"}
        network.run(5)
    assert (network.alice.states(), len(network.sent)) == before


def test_initiate_what_is_being_rekeyed(connected: Client) -> None:
    assert connected.ask("rekey", child="net")["success"] == "yes"
    assert connected.ask("initiate", child="net") == {"success": "yes"}
    connected.network.run(5)
    assert len(connected.network.alice.states()) == 2


def test_initiate_what_is_being_set_up_waits_for_it(client: Client) -> None:
    client.network.ping(client.network.alice)
    client.begin("initiate", child="net")
    assert client.session.job
    assert client.wait() == {"success": "yes"}
    assert len(client.network.alice.states()) == 2


def test_initiate_what_is_being_deleted_sets_up_another(connected: Client) -> None:
    (spi,) = connected.control.engine.context.children
    connected.control.engine.delete_child_sa(spi, "enough", connected.network.now)
    connected.begin("initiate", child="net")
    assert connected.wait() == {"success": "yes"}
    assert connected.network.is_up()
    assert spi not in connected.control.engine.context.children


def test_initiate_in_time_or_not(client: Client) -> None:
    client.network.meddler = lambda _: []
    client.begin("initiate", child="net", timeout="1500")
    assert client.wait(1.0) is None
    assert client.wait(1.0) == {
        "success": "no",
        "errmsg": "CHILD_SA 'net' not established in time",
    }


def test_initiate_without_waiting(client: Client) -> None:
    assert client.ask("initiate", child="net", timeout="-1") == {"success": "yes"}
    assert client.control.engine.sas()


def test_initiate_fails(client: Client) -> None:
    client.network.bob.kernel.refuses = True
    client.begin("initiate", child="net")
    reply = client.wait()
    assert reply
    assert str(reply["errmsg"]).startswith("establishing CHILD_SA 'net' failed: ")


@pytest.mark.parametrize("named", [{"child": "nix"}, {"child": "net", "ike": "nix"}, {}])
def test_initiate_what_is_not_configured(client: Client, named: Section) -> None:
    assert client.ask("initiate", **named)["success"] == "no"


@pytest.mark.parametrize("named", [{"ike": "to-bob"}, {"ike-id": "1"}])
def test_terminate_ike_sa(connected: Client, named: Section) -> None:
    connected.begin("terminate", **named)
    assert connected.wait() == {"success": "yes", "matches": "1", "terminated": "1"}
    assert not connected.network.alice.states() | connected.network.bob.states()
    assert connected.network.alice.ike_sas() == []


@pytest.mark.parametrize("named", [{"child": "net"}, {"child-id": "1"}])
def test_terminate_child_sa(connected: Client, named: Section) -> None:
    connected.begin("terminate", **named)
    assert connected.wait() == {"success": "yes", "matches": "1", "terminated": "1"}
    assert not connected.network.alice.states() | connected.network.bob.states()
    assert connected.network.alice.ike_sas() == ["ESTABLISHED"]


def test_terminate_by_force_does_not_wait_for_the_peer(connected: Client) -> None:
    connected.network.meddler = lambda _: []
    connected.begin("terminate", ike="to-bob", force="yes")
    reply = connected.wait(0.0)
    assert reply
    assert reply["terminated"] == "1"


def test_terminate_in_time_or_not(connected: Client) -> None:
    connected.network.meddler = lambda _: []
    connected.begin("terminate", ike="to-bob", timeout="1000")
    reply = connected.wait(1.5)
    assert reply
    assert (reply["success"], reply["matches"], reply["terminated"]) == ("no", "1", "0")


@pytest.mark.parametrize("command", ["terminate", "rekey"])
@pytest.mark.parametrize("named", [{"ike": "nix"}, {"ike-id": "9"}, {"child": "nix"}, {}])
def test_nothing_matches(connected: Client, command: str, named: Section) -> None:
    assert connected.ask(command, **named)["success"] == "no"
    assert connected.network.is_up()


def test_rekey_both(connected: Client) -> None:
    (before,) = connected.stream("list-sas", "list-sa")
    assert connected.ask("rekey", child="net") == {"success": "yes", "matches": "1"}
    connected.network.run(5)
    assert connected.ask("rekey", **{"ike-id": "1"}) == {"success": "yes", "matches": "1"}
    connected.network.run_until(lambda: len(connected.control.engine.sas()) == 2)
    both = connected.stream("list-sas", "list-sa")
    assert [len(sa["to-bob"]["child-sas"]) for sa in both] == [0, 1]  # type: ignore
    connected.network.run(5)
    (after,) = connected.stream("list-sas", "list-sa")
    assert before != after
    assert after["to-bob"]["uniqueid"] == "2"  # type: ignore[index,call-overload]
    assert after["to-bob"]["dh-group"] == "MODP_3072"  # type: ignore[index,call-overload]
    assert list(after["to-bob"]["child-sas"]) == ["net-2"]  # type: ignore[index,call-overload]


def delete_it(client: Client) -> None:
    client.control.engine.terminate("enough", client.network.now)


def replace_its_peer(client: Client) -> None:
    (sa,) = client.control.engine.sas()
    sa.close("somebody else is there", wanted=False)


def cut_the_line(client: Client) -> None:
    client.network.meddler = lambda _: []


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (delete_it, "enough"),
        (replace_its_peer, "somebody else is there"),
        (cut_the_line, "no answer from 192.168.0.2[500]"),
    ],
)
def test_who_waits_for_what_is_not_done_is_told_why(
    connected: Client, trouble: Callable[[Client], None], reason: str
) -> None:
    connected.begin("terminate", child="net")
    connected.wait()
    engine, now = connected.control.engine, connected.network.now
    engine.rekey_ike_sa(1, now)  # this one is out, the next one waits
    connected.begin("initiate", child="net")
    trouble(connected)
    reply = connected.wait(300.0)
    assert reply == {
        "success": "no",
        "errmsg": f"establishing CHILD_SA 'net' failed: {reason}",
    }


def test_who_waits_is_told_that_the_tkm_has_no_room(client: Client) -> None:
    pool = client.network.alice.tkm.pools["ke"]
    with suppress(OutOfContexts):
        while pool.take():
            pass
    client.begin("initiate", child="net")
    reply = client.wait()
    assert reply
    assert "contexts of the TKM are in use" in str(reply["errmsg"])


def test_reauthenticate(connected: Client) -> None:
    reply = connected.ask("rekey", ike="to-bob", reauth="yes")
    assert reply == {"success": "yes", "matches": "1"}
    again = connected.ask("rekey", ike="to-bob", reauth="yes")
    assert "is being reauthenticated already" in str(again["errmsg"])
    connected.network.run(5)
    (sa,) = connected.stream("list-sas", "list-sa")
    assert sa["to-bob"]["uniqueid"] == "2"  # type: ignore[index,call-overload]
    assert connected.network.is_up()
