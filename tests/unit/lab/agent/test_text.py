# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent makes out of text, and text for others: modules, `ip` commands."""

from __future__ import annotations

from typing import Any

from lab.agent.links import explain, node_command, node_commands, node_sysctls
from lab.kernel import modules

DEPENDENCIES = """\
kernel/net/ipv4/esp4.ko: kernel/net/xfrm/xfrm_algo.ko
kernel/net/xfrm/xfrm_user.ko: kernel/net/xfrm/xfrm_algo.ko
kernel/net/xfrm/xfrm_algo.ko:
kernel/net/bridge/bridge.ko: kernel/net/802/stp.ko kernel/net/llc/llc.ko
kernel/net/802/stp.ko: kernel/net/llc/llc.ko
kernel/net/llc/llc.ko:
"""


def test_modules_come_after_what_they_need_and_once() -> None:
    files = modules.files(("esp4", "xfrm_user", "bridge"), DEPENDENCIES)
    names = [file.rpartition("/")[2] for file in files]
    assert names == ["xfrm_algo.ko", "esp4.ko", "xfrm_user.ko", "llc.ko", "stp.ko", "bridge.ko"]


def test_a_module_without_a_file_is_built_in() -> None:
    assert modules.files(("unix",), DEPENDENCIES) == []


def spec(*addresses: str, **more: Any) -> dict[str, Any]:
    interface = {"name": "eth0", "link": "net", "addresses": list(addresses), "mtu": 1500}
    return {"name": "alice", "interfaces": [interface], "routes": {}, "sysctls": {}} | more


def test_a_node_gets_its_addresses_before_its_link_is_up() -> None:
    routes = {"default": "192.0.2.254"}
    assert node_commands(spec("192.0.2.1/24", "2001:db8::1/64", routes=routes)) == [
        "link set lo up",
        "addr add 192.0.2.1/24 dev eth0",
        "addr add 2001:db8::1/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 192.0.2.254",
    ]


def test_only_interfaces_with_ipv6_addresses_speak_ipv6() -> None:
    both = spec("2001:db8::1/64")
    both["interfaces"].append(both["interfaces"][0] | {"name": "eth1", "addresses": []})
    assert node_sysctls(both)["net/ipv6/conf/default/disable_ipv6"] == "1"
    assert node_command(both)[-2:] == ["sh", "eth0"]
    assert node_command(spec("192.0.2.1/24")) == ["ip", "-batch", "-"]


def test_sysctls_of_the_topology_come_last() -> None:
    forward = {"net/ipv4/ip_forward": "1"}
    assert node_sysctls(spec("192.0.2.1/24", sysctls=forward))["net/ipv4/ip_forward"] == "1"


def test_a_failed_command_is_named() -> None:
    complaint = 'Cannot find device "eth7"\nCommand failed -:2\n'
    commands = ["link set lo up", "link set eth7 up"]
    assert explain(commands, complaint) == 'ip link set eth7 up: Cannot find device "eth7"'


def test_a_complaint_without_a_number_is_passed_on() -> None:
    assert explain(["x"], 'Error: "x" is unknown.\n') == 'ip: Error: "x" is unknown.'
