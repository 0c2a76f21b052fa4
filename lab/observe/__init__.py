# SPDX-License-Identifier: GPL-2.0-or-later
"""Seeing a lab: captures for Wireshark, log lines as they come, tables, drawings.

``pcapng``, ``wireshark`` and ``drawing`` and what follows from them do no I/O.
"""
