# SPDX-License-Identifier: GPL-2.0-or-later
"""The proof of a lab: which evidence is collected, and how it is verified."""
