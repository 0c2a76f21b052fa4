# SPDX-License-Identifier: GPL-2.0-or-later
"""``ipsec.conf``: the same policies for strongSwan's older starter, as the original wrote it."""

from pathlib import PurePath

from tkm.config.model import Config, Policy
from tkm.config.swanctl import ESP_PROPOSALS, IKE_PROPOSALS


def render(config: Config) -> str:
    """The text of ``ipsec.conf``."""
    parts = ["# Written by tkm_cfgtool.\n\nconn %default\n    keyexchange=ikev2\n"]
    parts += [_connection(config, policy) for policy in config.policies.values()]
    return "\n".join(parts)


def _connection(config: Config, policy: Policy) -> str:
    identity = config.local_identities[policy.local.identity_id]
    lifetime = policy.lifetime
    options = {
        "reqid": policy.id,
        "left": policy.local.ip,
        "leftid": identity.identity,
        "leftcert": PurePath(identity.certificate).name,
        "leftsubnet": policy.local.net,
        "right": policy.remote.ip,
        "rightid": policy.remote.identity,
        "rightsubnet": policy.remote.net,
        # A margin is what strongSwan calls the time between the soft and the hard end.
        "lifetime": lifetime.hard,
        "margintime": lifetime.hard - lifetime.soft,
        "lifebytes": lifetime.hard_bytes,
        "marginbytes": lifetime.hard_bytes - lifetime.soft_bytes,
        "lifepackets": lifetime.hard_packets,
        "marginpackets": lifetime.hard_packets - lifetime.soft_packets,
        "type": policy.mode.value,
        "ike": f"{policy.proposals.ike or IKE_PROPOSALS}!",
        "esp": f"{policy.proposals.esp or ESP_PROPOSALS}!",
        "auto": "route",
    }
    lines = "".join(f"    {name}={value}\n" for name, value in options.items() if value)
    return f"conn conn{policy.id}\n{lines}"
