# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm-rpc: what the untrusted side may ask of the Trusted Key Manager, and nothing else.

========== ==============================================================================
result     result codes, and the errors that a caller sees
fields     how single values are laid out in a frame, and their bounds
record     requests and replies: typed records made of such fields
interface  an interface: its operations by code, and the frames that carry them
rpc1       generation 1, for strongSwan's charon-tkm, which gets the keys of IKE SAs
rpc2       generation 2, for our own IKE daemon: no IKE key leaves the TKM
paths      where the sockets of a host are: the defaults, and those of the original
listener   a Unix socket where clients connect, and who of them may
ees        the event service: acquire and expire, from xfrm_proxy to the IKE daemon
client     asks; server answers; both work on octets, the socket is at their edge
========== ==============================================================================
"""
