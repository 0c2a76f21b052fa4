# SPDX-License-Identifier: GPL-2.0-or-later
"""What a daemon gives up once it has all that it needs.

Nothing of ours is imported here: the daemons of both sides, trusted and untrusted, confine
themselves by this package.
"""
