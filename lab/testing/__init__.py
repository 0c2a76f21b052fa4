# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab in other people's tests: a plugin for pytest. docs/pytest.md.

`tkm_lab_pytest` (beside this package: its name must be nobody else's) has the fixtures and options,
`pool` the labs of a session, `wire` the assertions about
packets, `inside` opens ESP for them, `evidence` is what a failed test leaves.
"""

from __future__ import annotations

from lab.testing.expect import Link, Links, Seen

__all__ = ["Link", "Links", "Seen"]
