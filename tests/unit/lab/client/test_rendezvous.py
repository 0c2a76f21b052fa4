# SPDX-License-Identifier: GPL-2.0-or-later
"""Front ends and keepers find each other, or say why not."""

from __future__ import annotations

import pytest

from lab.client import rendezvous
from lab.errors import KernelError, NotUp


def test_an_interpreter_that_cannot_be_executed_is_told() -> None:
    plan = rendezvous.make_plan("never-up", "host", {}, "1G", 1 << 20)
    with pytest.raises(KernelError, match="cannot execute /etc/passwd: Permission denied"):
        rendezvous.launch(plan._replace(python="/etc/passwd"))
    assert "never-up" not in rendezvous.names()


def test_a_lab_that_is_not_up_comes_with_a_command_that_builds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rendezvous, "names", lambda: ["mine"])
    command = "tkm-lab up two-hosts --name never-up"
    with pytest.raises(NotUp, match=rf"^no lab named never-up is up \(up: mine\): {command}$"):
        rendezvous.meet("never-up")
