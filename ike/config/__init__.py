# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration, read from ``swanctl.conf`` and the certificates next to it.

========== ==============================================================================
settings   strongSwan's settings syntax: sections, keys, values, and the line of each
proposals  ``aes256-sha512-modp4096`` to transforms
model      what there can be configured
swanctl    settings to model, strictly
========== ==============================================================================
"""
