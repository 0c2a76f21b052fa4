# SPDX-License-Identifier: GPL-2.0-or-later
"""xfrm_proxy: tells the IKE daemon what the kernel's IPsec stack has to say."""
