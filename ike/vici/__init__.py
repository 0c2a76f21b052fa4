# SPDX-License-Identifier: GPL-2.0-or-later
"""The control interface: VICI as strongSwan's swanctl and the ``vici`` libraries speak it.

================ ========================================================================
message          the wire: sections, values and lists; ``packet``: what wraps them
session          one client: packets in, packets out, no socket
server           the socket, and all clients, in the event loop of the daemon
commands         the tables: every command, every event
answers          what a command gives: a reply, a stream of events, or a job that takes time
control          what commands act on
selection        which IKE SAs and Child SAs a request means
queries          commands that ask; ``about``: those that ask of the daemon itself
actions          commands that initiate, terminate, rekey
loading          commands that bring connections, certificates and CAs
sas              IKE SAs and Child SAs as messages
monitor          what happens, as messages; ``log``: what is logged
names            distinguished names for people
================ ========================================================================
"""
