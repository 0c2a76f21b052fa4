# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenarios that come with the lab, a TOML file each: docs/scenarios.md. There is no code."""
