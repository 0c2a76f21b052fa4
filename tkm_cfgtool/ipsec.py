# SPDX-License-Identifier: GPL-2.0-or-later
"""``ipsec.conf``: the same policies for strongSwan's older starter, as the original wrote it."""

from pathlib import PurePath

from tkm.config.policy import Config, Lifetime, Policy
from tkm_cfgtool.proposals import ESP_PROPOSALS, IKE_PROPOSALS


def render(config: Config) -> str:
    """The text of ``ipsec.conf``."""
    parts = ["# Written by tkm_cfgtool.\n\nconn %default\n    keyexchange=ikev2\n"]
    parts += [_connection(config, policy) for policy in config.policies.values()]
    return "\n".join(parts)


def _connection(config: Config, policy: Policy) -> str:
    identity = config.local_identities[policy.local.identity_id]
    options = {
        "reqid": policy.id,
        "left": policy.local.ip,
        "leftid": _quoted(identity.identity),
        "leftcert": PurePath(identity.certificate).name,
        "leftsubnet": policy.local.net,
        "right": policy.remote.ip,
        "rightid": _quoted(policy.remote.identity),
        "rightsubnet": policy.remote.net,
        **_lifetimes(policy.lifetime),
        "type": policy.mode.value,
        "ike": f"{policy.proposals.ike or IKE_PROPOSALS}!",
        "esp": f"{policy.proposals.esp or ESP_PROPOSALS}!",
        "auto": "route",
    }
    lines = "".join(f"    {name}={value}\n" for name, value in options.items() if value)
    return f"conn conn{policy.id}\n{lines}"


def _quoted(identity: str) -> str:
    """An identity as a value: spaces end one, and ``#`` begins a comment."""
    return f'"{identity}"' if set(identity) & set(" #=") else identity


def _lifetimes(lifetime: Lifetime) -> dict[str, int]:
    """A margin is what strongSwan calls the room between the soft and the hard bound."""
    options = {}
    for unit, (soft, hard) in zip(
        ("time", "bytes", "packets"), lifetime.bounds.values(), strict=True
    ):
        options["lifetime" if unit == "time" else f"life{unit}"] = hard
        options[f"margin{unit}"] = hard - soft if soft and hard else 0
    return options
