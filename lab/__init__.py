# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: hosts out of namespaces, real daemons, real ESP, and proof on the wire."""
