# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: ``tkm-lab``. ``main`` puts together what a module for each group of commands
has; ``show`` is how things look."""
