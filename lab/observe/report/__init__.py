# SPDX-License-Identifier: GPL-2.0-or-later
"""A run of a lab as one HTML page.

======== ====================================================================================
run      what is known of a run: captures, logs, SAs, keys; kept as a file, too
record   a run of a lab that is up
wire     IKE messages in captures
ike_keys the Encrypted payload opened, where the lab exposes the keys of IKE
fields   the fields of a payload, each with its section of an RFC
ladder   IKE messages in order, opened
lanes    what happened on each host, by time
sas      ESP SAs over time, and each ESP packet with its verdict
scale    time to a place on the page
page     the model of the page
html     the page
write    the page in a file; this and `record` are the only modules with I/O
======== ====================================================================================
"""
