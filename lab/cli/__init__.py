# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: ``tkm-lab``. ``main`` has the commands, ``show`` how things look."""
