# SPDX-License-Identifier: GPL-2.0-or-later
"""``swanctl.conf``: the same policies, for the IKE daemon, in strongSwan's words."""

import re
from pathlib import PurePath

from tkm.config.policy import Config, Lifetime, Policy
from tkm_cfgtool.proposals import ESP_PROPOSALS, ESP_PROPOSALS_WITH_ESN, IKE_PROPOSALS

_CONNECTION = """\
  conn{id} {{
    version = 2
    local_addrs = {local_ip}
    remote_addrs = {remote_ip}
    proposals = {ike_proposals}
    local {{
      auth = pubkey
      certs = {certificate}
      id = {local_identity}
{identity_id}    }}
    remote {{
      auth = pubkey
      id = {remote_identity}
    }}
    children {{
      conn{id} {{
        reqid = {id}
        mode = {mode}
{selectors}        esp_proposals = {esp_proposals}
        start_action = trap
{lifetimes}      }}
    }}
  }}
"""


def render(config: Config, *, esn: bool = True) -> str:
    """The text of ``swanctl.conf``. The lifetimes are the kernel's, told here to be seen.

    :param esn: the daemon can tell the TKM about extended sequence numbers; charon-tkm, which
        speaks generation 1 of the protocol, cannot.
    """
    esp = ESP_PROPOSALS_WITH_ESN if esn else ESP_PROPOSALS
    connections = "".join(_connection(config, policy, esp) for policy in config.policies.values())
    return f"# Written by tkm_cfgtool.\n\nconnections {{\n{connections}}}\n"


def _connection(config: Config, policy: Policy, esp: str) -> str:
    identity = config.local_identities[policy.local.identity_id]
    return _CONNECTION.format(
        id=policy.id,
        local_ip=policy.local.ip,
        remote_ip=policy.remote.ip,
        ike_proposals=policy.proposals.ike or IKE_PROPOSALS,
        certificate=PurePath(identity.certificate).name,
        local_identity=_quoted(identity.identity),
        identity_id="" if identity.id == 1 else f"      identity_id = {identity.id}\n",
        remote_identity=_quoted(policy.remote.identity),
        mode=policy.mode.value,
        selectors=_selectors(policy),
        esp_proposals=policy.proposals.esp or esp,
        lifetimes=_lifetimes(policy.lifetime),
    )


def _quoted(identity: str) -> str:
    """An identity as a value: what means something else in the file stands in double quotes."""
    return identity if re.fullmatch(r"[A-Za-z0-9._@/:+-]+", identity) else f'"{identity}"'


def _lifetimes(lifetime: Lifetime) -> str:
    """``rekey_time = 6900s`` and so on; those that are not bounded are left out but for time."""
    return "".join(
        f"        {name}_{unit} = {value}{suffix}\n"
        for (unit, suffix), values in zip(
            (("time", "s"), ("bytes", ""), ("packets", "")), lifetime.bounds.values(), strict=True
        )
        for name, value in zip(("rekey", "life"), values, strict=True)
        if value or unit == "time"
    )


def _selectors(policy: Policy) -> str:
    ends = (("local_ts", policy.local.net), ("remote_ts", policy.remote.net))
    return "".join(f"        {name} = {net}\n" for name, net in ends if net)
