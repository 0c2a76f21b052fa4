# SPDX-License-Identifier: GPL-2.0-or-later
"""The IKEv2 engine (RFC 7296): octets, commands and a clock in, datagrams and events out. No I/O.

What happens to a packet

===================== =========================================================================
engine                ``Ike``: the interface of the engine; all IKE SAs of a host
receive               UDP payload -> IKE SA -> request or response; ``roaming``: peers that move
dispatch              the table of requests: exchange type, states, function
send                  starts and resumes our exchanges, sends responses
ike_sa_init_responder IKE_SA_INIT requests; ``cookies``, ``half_open``: what limits them
channel               an IKE SA's messages; ``window``: their IDs; ``protection``: their encryption;
                      ``fragmentation``: their reassembly; ``route``: where they go
===================== =========================================================================

Exchanges, one module each, both roles

===================== =========================================================================
exchange              what an exchange is, and what it sees of its IKE SA
initiate              sets up an IKE SA with ``ike_sa_init``, ``ike_intermediate``, ``ike_auth``
create_child_sa       and ``rekey_child_sa``, ``rekey_ike_sa``, ``followup_ke``
informational         deletes SAs, checks liveness
key_exchange_state    what we contribute to a key derivation
negotiation           proposals; ``selectors``: traffic selectors; ``child_negotiation``: both;
                      ``authentication``: AUTH and CERT; ``extensions``; ``nat``: NAT detection
===================== =========================================================================

SAs

===================== =========================================================================
ike_sa                ``IkeSa``; ``registry``: all of them; ``exchange_queue``: their exchanges
peer                  the authenticated peer and its Child SAs; ``child_sa``: one of them
states                the states of both, as tables; ``collision``: simultaneous rekeying
lifetime              when an IKE SA is renewed; ``timers``: what is due; ``deadline_index``: when
acquires              sets up the Child SA that traffic waits for; ``expires``: rekeys it
reauthentication      a new IKE SA in the place of an old one; ``uniqueness``: one for each peer
context               what all IKE SAs share: the TKM, the configuration, random numbers, time
events                what the engine reports; ``status``: what exists
===================== =========================================================================
"""
