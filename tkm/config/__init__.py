# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration: what the administrator allows.

======= ==================================================================================
model   identities and policies, checked
conf    ``tkm.conf``, which the TKM reads
xml     the schema of the original, which tkm_cfgtool reads
swanctl ``swanctl.conf``, which the IKE daemon reads
======= ==================================================================================
"""
