# SPDX-License-Identifier: GPL-2.0-or-later
"""The XML schema of the original's configuration, with optional elements of ours (marked *).

.. code-block:: xml

    <tkmconfig>
      <local_identity id="1">
        <identity>alice@example.org</identity>
        <certificate>aliceCert.pem</certificate>
      </local_identity>
      <policy id="1">
        <mode>tunnel</mode>
        <local>
          <identity_id>1</identity_id> <ip>192.168.0.1</ip> <net mask="16">10.1.0.0</net>
        </local>
        <remote>
          <identity>bob@example.org</identity> <ip>192.168.0.2</ip> <net mask="16">10.2.0.0</net>
          <ca_id>1</ca_id>                              <!-- * the CA that its chain begins with -->
          <require_san>true</require_san>               <!-- * the subject does not name it -->
          <allow_sha1>true</allow_sha1>                 <!-- * AUTH method 1 is accepted, made -->
        </remote>
        <lifetime>
          <soft>6900</soft> <hard>7200</hard>           <!-- seconds -->
          <soft_bytes>1000000</soft_bytes> <hard_bytes>2000000</hard_bytes>           <!-- * -->
          <soft_packets>1000</soft_packets> <hard_packets>2000</hard_packets>         <!-- * -->
          <authentication>86400</authentication>        <!-- * seconds, then IKE_AUTH again -->
        </lifetime>
        <proposals>                                     <!-- * for the IKE daemon -->
          <ike>aes256-sha512-modp4096</ike> <esp>aes256-sha512</esp>
        </proposals>
      </policy>
    </tkmconfig>
"""

from ipaddress import ip_address, ip_network
from typing import TypeVar

from tkm.config.policy import (
    Address,
    Config,
    Lifetime,
    Local,
    LocalIdentity,
    Mode,
    Network,
    Policy,
    Proposals,
    Remote,
    faults_of_each,
)
from tkm.errors import ConfigError
from tkm_cfgtool.element import Element, parse

_Thing = TypeVar("_Thing")


def read(octets: bytes) -> Config:
    """The configuration in an XML document.

    :raises ConfigError: it is not one; the message has the line.
    """
    root = parse(octets)
    if root.name != "tkmconfig":
        raise root.fault("the root element is not <tkmconfig>")
    identities: dict[int, LocalIdentity] = {}
    policies: dict[int, Policy] = {}
    elements: dict[LocalIdentity | Policy, Element] = {}
    for element in root.all("local_identity"):
        identity = _local_identity(element)
        _add(identities, identity.id, identity, element)
        elements[identity] = element
    for element in root.all("policy"):
        policy = _policy(element)
        _add(policies, policy.id, policy, element)
        elements[policy] = element
    root.check_all_read()
    config = Config(identities, policies)
    for thing, found in faults_of_each(config).items():
        # At the line of its element, so that nobody has to count elements.
        raise elements[thing].fault("; ".join(found))
    return config


def _add(things: dict[int, _Thing], number: int, thing: _Thing, element: Element) -> None:
    if number in things:
        raise element.fault(f"id {number} is used twice")
    things[number] = thing


def _local_identity(element: Element) -> LocalIdentity:
    return LocalIdentity(
        id=element.attribute("id"),
        identity=element.one("identity").content(),
        certificate=element.one("certificate").content(),
    )


def _policy(element: Element) -> Policy:
    local, remote = element.one("local"), element.one("remote")
    lifetime = element.one("lifetime")
    return Policy(
        id=element.attribute("id"),
        mode=_mode(element.one("mode")),
        local=Local(local.one("identity_id").number(), _ip(local.one("ip")), _net(local)),
        remote=Remote(
            identity=remote.one("identity").content(),
            ip=_ip(remote.one("ip")),
            net=_net(remote),
            ca=_optional_number(remote, "ca_id"),
            require_san=_optional_truth(remote, "require_san"),
            allow_sha1=_optional_truth(remote, "allow_sha1"),
        ),
        lifetime=Lifetime(
            soft=lifetime.one("soft").number(),
            hard=lifetime.one("hard").number(),
            soft_bytes=_optional_number(lifetime, "soft_bytes"),
            hard_bytes=_optional_number(lifetime, "hard_bytes"),
            soft_packets=_optional_number(lifetime, "soft_packets"),
            hard_packets=_optional_number(lifetime, "hard_packets"),
            authentication=_optional_number(lifetime, "authentication"),
        ),
        proposals=_proposals(element.find("proposals")),
    )


def _optional_number(element: Element, name: str) -> int:
    child = element.find(name)
    return child.number() if child else 0


def _optional_truth(element: Element, name: str) -> bool:
    child = element.find(name)
    return child.truth() if child else False


def _proposals(element: Element | None) -> Proposals:
    if element is None:
        return Proposals()
    offers = {kind: element.find(kind) for kind in ("ike", "esp")}
    return Proposals(**{kind: offer.content() for kind, offer in offers.items() if offer})


def _mode(element: Element) -> Mode:
    try:
        return Mode(element.content())
    except ValueError:
        raise element.fault(f"'{element.content()}' is neither transport nor tunnel") from None


def _ip(element: Element) -> Address:
    try:
        return ip_address(element.content())
    except ValueError as error:
        raise element.fault(str(error)) from error


def _net(end: Element) -> Network | None:
    element = end.find("net")
    if element is None:
        return None
    try:
        return ip_network(f"{element.content()}/{element.attribute('mask')}")
    except ConfigError:
        raise
    except ValueError as error:
        raise element.fault(str(error)) from error
