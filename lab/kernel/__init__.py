# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel that a lab runs on: which one, how it starts, and the process that keeps it."""
