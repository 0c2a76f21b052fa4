# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs for attacks: those of the end-to-end tests."""

from tests.e2e.conftest import fresh

__all__ = ["fresh"]
