# SPDX-License-Identifier: GPL-2.0-or-later
"""``tkm_cfgtool``: one XML file becomes the configurations of the TKM and of the IKE daemon.

It runs before the Trusted Key Manager does, and is not part of the trusted computing base.
"""
