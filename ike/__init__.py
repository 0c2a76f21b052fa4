# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked: the untrusted IKEv2 daemon. It parses the network and holds no key."""
