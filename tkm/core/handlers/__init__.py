# SPDX-License-Identifier: GPL-2.0-or-later
"""What the operations compute: one module a kind of context.

Each function gets the request and the contexts that its row in ``tkm.core.operations`` names,
after all of them were found fit; it assigns to them when nothing can fail any more.
"""
