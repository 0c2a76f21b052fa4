# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_iked as a program: sockets, event loop, signals, privileges, connection to the TKM."""
