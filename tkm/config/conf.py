# SPDX-License-Identifier: GPL-2.0-or-later
"""``tkm.conf``: what tkm_cfgtool writes and the TKM reads. TOML, versioned and strict.

Strict means: a key that is not known is an error, not a surprise. The one table of keys below is
both the reader's and the writer's.
"""

import logging
import tomllib
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final, NamedTuple

from tkm.config import files
from tkm.config.policy import (
    Config,
    Lifetime,
    Local,
    LocalIdentity,
    Mode,
    Policy,
    Proposals,
    Remote,
    faults,
    warnings,
)
from tkm.errors import ConfigError

log = logging.getLogger(__name__)

VERSION: Final = 1


class _Key(NamedTuple):
    """A key of a table.

    :ivar kind: the TOML type that it must have.
    :ivar read: from there to the model; raises ``ValueError``.
    """

    kind: type
    read: Callable[[Any], Any] = lambda value: value
    optional: bool = False


_LOCAL_IDENTITY: Final = {"id": _Key(int), "identity": _Key(str), "certificate": _Key(str)}
_LOCAL: Final = {
    "identity_id": _Key(int),
    "ip": _Key(str, ip_address),
    "net": _Key(str, ip_network, optional=True),
}
_REMOTE: Final = {
    "identity": _Key(str),
    "ip": _Key(str, ip_address),
    "net": _Key(str, ip_network, optional=True),
    "ca": _Key(int, optional=True),
    "require_san": _Key(bool, optional=True),
    "allow_sha1": _Key(bool, optional=True),
}
_LIFETIME: Final = {
    "soft": _Key(int),
    "hard": _Key(int),
    "soft_bytes": _Key(int, optional=True),
    "hard_bytes": _Key(int, optional=True),
    "soft_packets": _Key(int, optional=True),
    "hard_packets": _Key(int, optional=True),
    "authentication": _Key(int, optional=True),
}
_PROPOSALS: Final = {"ike": _Key(str, optional=True), "esp": _Key(str, optional=True)}
_POLICY: Final = {
    "id": _Key(int),
    "mode": _Key(str, Mode),
    "local": _Key(dict),
    "remote": _Key(dict),
    "lifetime": _Key(dict),
    "proposals": _Key(dict, optional=True),
}
_TOP: Final = {
    "version": _Key(int),
    "local_identity": _Key(list, optional=True),
    "policy": _Key(list, optional=True),
}
_POLICY_TABLES: Final = {
    "local": _LOCAL,
    "remote": _REMOTE,
    "lifetime": _LIFETIME,
    "proposals": _PROPOSALS,
}


def load(file: Path, opener: files.Opener = files.open_trusted) -> Config:
    """The configuration in a file.

    :raises ConfigError: it cannot be read, others may change it, or it is not valid; the message
        says where.
    """
    try:
        config = parse(files.read(file, opener).decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: it is not UTF-8") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    for doubt in warnings(config):
        log.warning("%s: %s", file, doubt)
    return config


def parse(text: str) -> Config:
    """The configuration in a text.

    :raises ConfigError: it is not valid.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise ConfigError("it is nested too deep") from None
    except ValueError as error:  # of numbers as well, which are no TOMLDecodeError
        raise ConfigError(str(error)) from error
    version = document.get("version")
    if isinstance(version, int):
        _checked_int("version", version)
    if version != VERSION:
        raise ConfigError(f"version {version!r} is unknown, this program reads {VERSION}")
    top = {"local_identity": [], "policy": [], **_table("", document, _TOP)}
    identities = {
        identity.id: identity
        for identity in (
            LocalIdentity(**_table(f"local_identity {number}", row, _LOCAL_IDENTITY))
            for number, row in enumerate(top["local_identity"], 1)
        )
    }
    policies = [_policy(number, row) for number, row in enumerate(top["policy"], 1)]
    config = Config(identities, {policy.id: policy for policy in policies})
    if len(identities) < len(top["local_identity"]) or len(config.policies) < len(policies):
        raise ConfigError("an id is used twice")
    if found := faults(config):
        raise ConfigError("; ".join(found))
    return config


def _policy(number: int, row: Any) -> Policy:
    where = f"policy {number}"
    values = _table(where, row, _POLICY)
    return Policy(
        id=values["id"],
        mode=values["mode"],
        local=Local(**_table(f"{where}, local", values["local"], _LOCAL)),
        remote=Remote(**_table(f"{where}, remote", values["remote"], _REMOTE)),
        lifetime=Lifetime(**_table(f"{where}, lifetime", values["lifetime"], _LIFETIME)),
        proposals=Proposals(
            **_table(f"{where}, proposals", values.get("proposals", {}), _PROPOSALS)
        ),
    )


def _table(where: str, row: Any, keys: Mapping[str, _Key]) -> dict[str, Any]:
    """The checked values of one table."""
    place = f"{where}: " if where else ""
    if not isinstance(row, dict):
        raise ConfigError(f"{place}it is not a table")
    if unknown := row.keys() - keys.keys():
        raise ConfigError(f"{place}unknown key {', '.join(sorted(unknown))}")
    values = {}
    for name, key in keys.items():
        if name not in row:
            if key.optional:
                continue
            raise ConfigError(f"{place}{name} is missing")
        value = row[name]
        if type(value) is not key.kind:
            raise ConfigError(f"{place}{name} is not of type {key.kind.__name__}")
        if isinstance(value, int):
            _checked_int(f"{place}{name}", value)
        try:
            values[name] = key.read(value)
        except ValueError as error:
            raise ConfigError(f"{place}{name}: {error}") from error
    return values


def _checked_int(where: str, value: int) -> None:
    """TOML has integers of 64 bits; Python reads longer ones, and does not print the longest."""
    if not -(1 << 63) <= value < 1 << 63:
        raise ConfigError(f"{where} is not an integer of 64 bits")


def render(config: Config) -> str:
    """The text that :func:`parse` reads back."""
    lines = ["# What this host's Trusted Key Manager allows. Written by tkm_cfgtool.", ""]
    lines += [f"version = {VERSION}"]
    for identity in config.local_identities.values():
        lines += ["", "[[local_identity]]", *_rendered(identity, _LOCAL_IDENTITY)]
    for policy in config.policies.values():
        lines += ["", "[[policy]]", f"id = {policy.id}", f'mode = "{policy.mode.value}"']
        for name, keys in _POLICY_TABLES.items():
            if inside := _rendered(getattr(policy, name), keys):
                lines += [f"[policy.{name}]", *inside]
    return "\n".join(lines) + "\n"


def _rendered(thing: object, keys: Mapping[str, _Key]) -> list[str]:
    return [
        f"{name} = {_value(getattr(thing, name))}"
        for name, key in keys.items()
        if getattr(thing, name) or not key.optional
    ]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    escaped = "".join(
        f"\\u{ord(character):04x}" if character in '"\\' or ord(character) < 32 else character
        for character in str(value)
    )
    return f'"{escaped}"'
