# SPDX-License-Identifier: GPL-2.0-or-later
"""``swanctl.conf``: the same policies, for the IKE daemon, in strongSwan's words."""

from pathlib import PurePath

from tkm.config.model import Config, Lifetime, Policy

IKE_PROPOSALS = "aes256-sha512-modp4096,aes256-sha512-modp3072"
ESP_PROPOSALS = IKE_PROPOSALS

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
    }}
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


def render(config: Config) -> str:
    """The text of ``swanctl.conf``. The lifetimes are the kernel's, told here to be seen."""
    connections = "".join(_connection(config, policy) for policy in config.policies.values())
    return f"# Written by tkm_cfgtool.\n\nconnections {{\n{connections}}}\n"


def _connection(config: Config, policy: Policy) -> str:
    identity = config.local_identities[policy.local.identity_id]
    return _CONNECTION.format(
        id=policy.id,
        local_ip=policy.local.ip,
        remote_ip=policy.remote.ip,
        ike_proposals=policy.proposals.ike or IKE_PROPOSALS,
        certificate=PurePath(identity.certificate).name,
        local_identity=identity.identity,
        remote_identity=policy.remote.identity,
        mode=policy.mode.value,
        selectors=_selectors(policy),
        esp_proposals=policy.proposals.esp or ESP_PROPOSALS,
        lifetimes=_lifetimes(policy.lifetime),
    )


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
