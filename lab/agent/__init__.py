# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs inside the lab kernel: the agent (PID 1), the nodes, the wire.

Imports cost ten times as much in a User-Mode Linux guest as on this machine: keep them few."""
