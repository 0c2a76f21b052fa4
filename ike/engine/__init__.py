# SPDX-License-Identifier: GPL-2.0-or-later
"""The IKEv2 engine (RFC 7296): octets, commands and a clock in, datagrams and events out. No I/O.

================ ========================================================================
engine           ``Ike``: all IKE SAs; what arrives finds its IKE SA here
reception        IKE_SA_INIT requests: cookies, limits, new IKE SAs
acquires         who sets up a Child SA that traffic waits for; ``expires``: who rekeys it
ike_sa           ``IkeSa``: one of them: its life, and its answers
timers           what is due on it; ``lifetime``: when it is renewed, and over;
                 ``timetable``: when that is, of all of them
reauthentication a new one in the place of an old one; ``uniqueness``: one for each peer
states           states of IKE SAs and Child SAs, as tables
agenda           the exchanges that an IKE SA still has to do
exchange         what every exchange of ours is
ike_sa_init      one module an exchange, both roles: ``ike_intermediate``, ``ike_auth``,
                 ``create_child_sa``, ``rekey_child_sa``, ``rekey_ike_sa``, ``followup_ke``,
                 ``informational``
extensions       what both sides must support before it is used
responders       which of them answers what
channel          an IKE SA's messages; ``window``: their ids; ``protection``: their encryption;
                 ``fragmentation``: their reassembly
route            where they go; ``nat``: NATs on the way; ``roaming``: peers that move
peer             the authenticated peer: what an IKE SA leaves to its successor
child_sa         a Child SA; ``child_negotiation``: what both sides say of it
keying           our half of a key derivation
negotiation      proposals; ``selectors``: traffic selectors; ``authentication``: AUTH and CERT
host             what the engine has around it: the TKM, the configuration, chance and time
events           what the engine tells; ``status``: what there is
================ ========================================================================
"""
