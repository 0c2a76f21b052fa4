# SPDX-License-Identifier: GPL-2.0-or-later
"""The TKM's contexts: what it remembers between requests.

The client names contexts by numbers of its choice; a number that was never used names a clean one.

===== ========================================================================================
nc    a nonce, used once
ke    a key exchange, its secret used once
cc    a certificate chain
ae    an authenticated endpoint: one authentication of a peer, shared by an IKE SA and those
      that replace it
isa   an IKE SA
esa   an ESP SA: the two kernel states of a Child SA
===== ========================================================================================

``machine`` is the mechanism, ``tables`` the rules, ``kinds`` what each context holds.
"""
