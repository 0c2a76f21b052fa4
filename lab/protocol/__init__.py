# SPDX-License-Identifier: GPL-2.0-or-later
"""How a front end and the agent of a lab talk: records, channels, one stream for all channels."""
