# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks on a running tkm_keymanager over its socket, in both generations."""
