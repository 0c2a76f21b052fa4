# SPDX-License-Identifier: GPL-2.0-or-later
"""IKEv2 messages (RFC 7296, 3): octets to data classes and back. No logic lives here.

========== ==============================================================================
numbers    the registries' numbers
reader     reads octets, every bound checked
payload    what every payload is; ``sa`` to ``vendor`` are one payload each
encrypted  the two containers of protected payloads
chain      payloads one behind the other; unknown ones
header     the IKE header
message    all of it
========== ==============================================================================
"""
