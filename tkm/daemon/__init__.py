# SPDX-License-Identifier: GPL-2.0-or-later
"""The program ``tkm_keymanager``: start, event loop, logs, and privileges given up."""
