# SPDX-License-Identifier: GPL-2.0-or-later
"""IKE SAs and Child SAs as messages, with the names and values that charon gives them."""

from collections.abc import Iterable, Mapping
from enum import IntEnum

from ike.config.proposals import Suite
from ike.engine import selectors
from ike.engine.child_sa import ChildSa
from ike.engine.ike_sa import IkeSa
from ike.engine.route import Nats
from ike.engine.states import ChildState, State
from ike.message.numbers import Encryption, Esn, Integrity, KeMethod, Prf, TransformType, name
from ike.vici.message import Section

UNNAMED = "(unnamed)"
"""What an IKE SA is called whose connection is not known yet."""

_STATES = {
    State.NEW: "CREATED",
    State.CONNECTING: "CONNECTING",
    State.AUTHENTICATING: "CONNECTING",
    State.HALF_OPEN: "CONNECTING",
    State.ESTABLISHED: "ESTABLISHED",
    State.REKEYED: "REKEYED",
    State.DELETING: "DELETING",
    State.GONE: "DELETING",
}
_CHILD_STATES = {
    ChildState.INSTALLED: "INSTALLED",
    ChildState.REKEYING: "REKEYING",
    ChildState.REKEYED: "REKEYED",
    ChildState.DELETING: "DELETING",
    ChildState.GONE: "DELETED",
}
_ALGORITHMS: Mapping[int, tuple[str, type[IntEnum], str]] = {
    TransformType.ENCR: ("encr-alg", Encryption, ""),
    TransformType.INTEG: ("integ-alg", Integrity, ""),
    TransformType.PRF: ("prf-alg", Prf, "PRF_"),
    TransformType.KE: ("dh-group", KeMethod, ""),
    **{TransformType.ADDKE1 + n: (f"ake{n + 1}", KeMethod, "") for n in range(7)},
}
"""Where the algorithm of each transform type goes, and what its name begins with."""
_NONE = 0


def connection_name(sa: IkeSa) -> str:
    """What messages call an IKE SA."""
    return sa.peer.connection.name if sa.peer.connection else UNNAMED


def ike_sa(sa: IkeSa, now: float) -> Section:
    """An IKE SA without its Child SAs."""
    connection, channel = sa.peer.connection, sa.channel
    initiator_spi, responder_spi = channel.spis
    return {
        "uniqueid": str(sa.id),
        "version": "2",
        "state": _STATES[sa.state],
        "local-host": channel.local.host,
        "local-port": str(channel.local.port),
        "local-id": str(connection.local_id) if connection else "%any",
        "remote-host": channel.remote.host,
        "remote-port": str(channel.remote.port),
        "remote-id": str(connection.remote_id) if connection else "%any",
        **({"initiator": "yes"} if channel.initiator else {}),
        "initiator-spi": initiator_spi.hex(),
        "responder-spi": responder_spi.hex(),
        **_nats(channel.route.nats),
        **_algorithms(sa.suite),
        **(_times(sa, now) if sa.state is State.ESTABLISHED else {}),
    }


def _nats(nats: Nats) -> Section:
    found = {
        "nat-local": nats.local,
        "nat-remote": nats.remote,
        "nat-fake": nats.faked,
        "nat-any": any(nats),
    }
    return {key: "yes" for key, is_there in found.items() if is_there}


def _times(sa: IkeSa, now: float) -> Section:
    times = {"established": str(int(now - sa.established_at))}
    due = {"rekey-time": sa.lifetime.rekey_at, "reauth-time": sa.lifetime.reauthenticate_at}
    remaining = {key: str(int(time - now)) for key, time in due.items() if time is not None}
    return {**times, **remaining}


def _algorithms(suite: Suite) -> Section:
    named: Section = {}
    for transform in suite:
        if transform.kind in _ALGORITHMS and transform.id != _NONE:
            key, enum, prefix = _ALGORITHMS[transform.kind]
            named[key] = prefix + name(enum, transform.id)
        if transform.key_length:
            named["encr-keysize"] = str(transform.key_length)
        if transform.kind == TransformType.ESN and transform.id == Esn.ESN:
            named["esn"] = "1"
    return named


def child_sa(child: ChildSa, now: float) -> Section:
    """A Child SA.

    What has passed through it only the kernel knows, and we may not ask it: volumes are zero, as
    charon-tkm has them. The times at which the TKM has it rekeyed and removed are those of the
    configuration.
    """
    agreement, config = child.agreement, child.config
    volumes = ("bytes-in", "packets-in", "bytes-out", "packets-out")
    return {
        "name": config.name,
        "uniqueid": str(child.id),
        "reqid": str(config.reqid),
        "state": _CHILD_STATES[child.state],
        "mode": config.mode.name,
        "protocol": "ESP",
        **({"encap": "yes"} if agreement.esp_options.encap else {}),
        "spi-in": child.spi_local.hex(),
        "spi-out": child.spi_remote.hex(),
        **_algorithms(agreement.transforms),
        **dict.fromkeys(volumes, "0"),
        **_due(child, now),
        "install-time": str(int(now - child.installed_at)),
        "local-ts": selectors.spell(agreement.local_ts).split(),
        "remote-ts": selectors.spell(agreement.remote_ts).split(),
    }


def _due(child: ChildSa, now: float) -> Section:
    config = child.config
    ages = {"rekey-time": config.rekey_time, "life-time": config.life_time}
    return {key: str(int(child.installed_at + age - now)) for key, age in ages.items() if age}


def child_name(child: ChildSa) -> str:
    """What messages call a Child SA; its name alone can be there twice."""
    return f"{child.config.name}-{child.id}"


def whole(sa: IkeSa, children: Iterable[ChildSa], now: float) -> Section:
    """An IKE SA with some of its Child SAs, in a section of its connection's name."""
    sections: Section = {child_name(child): child_sa(child, now) for child in children}
    return {connection_name(sa): {**ike_sa(sa, now), "child-sas": sections}}
