# SPDX-License-Identifier: GPL-2.0-or-later
"""Generation 1 of the protocol: each request becomes one of generation 2.

Nothing of the other packages imports this one, but for the program, if ``--rpc 1`` asks for it.
"""
