# SPDX-License-Identifier: GPL-2.0-or-later
"""IKEv2 messages (RFC 7296, 3): octets to values and back.

============= ===========================================================================
numbers       the numbers of IANA's registries
errors        errors that the peer causes, with the Notify that answers them
reader        reads octets, and checks every bound
substructures proposals, transforms, traffic selectors
payloads      the payloads
chain         payloads in a row, each of which names the type of the next; unknown ones
header        the IKE header
message       a whole message
============= ===========================================================================
"""
