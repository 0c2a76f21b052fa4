# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's SPD and SAD over NETLINK_XFRM.

======== ======================================================================
model    what the TKM asks of a kernel: policies and pairs of states
messages the netlink messages, as ``nlmsg`` classes in pyroute2's style
netlink  a netlink socket: requests with their answers, multicast events
kernel   the model on the socket
======== ======================================================================
"""
