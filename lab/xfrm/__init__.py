# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's SAs and policies, read without any code of the TKM."""
