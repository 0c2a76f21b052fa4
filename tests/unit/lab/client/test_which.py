# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lab a command means, by each means of naming one."""

from __future__ import annotations

import shlex

import click
import pytest

from lab.cli import complete
from lab.cli.main import cli
from lab.client import rendezvous, which
from lab.errors import NotUp, UsageError


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The labs that are up, to be changed; TKM_LAB is not set."""
    names = ["one", "two"]
    monkeypatch.setattr(rendezvous, "names", lambda: names)
    monkeypatch.delenv("TKM_LAB", raising=False)
    return names


@pytest.mark.parametrize(
    ("argument", "option", "variable", "chosen"),
    [
        ("one", None, "two", "one"),
        (None, "one", "two", "one"),
        ("one", "one", "two", "one"),
        (None, None, "two", "two"),
        (None, None, "three", "three"),
    ],
)
def test_what_is_nearer_wins(
    up: list[str],
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
    option: str | None,
    variable: str,
    chosen: str,
) -> None:
    monkeypatch.setenv("TKM_LAB", variable)
    assert which.chosen(argument, option) == chosen


@pytest.mark.usefixtures("up")
def test_what_is_not_clear_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="several labs are up"):
        which.chosen(None)
    with pytest.raises(UsageError, match="both one and --lab two"):
        which.chosen("one", "two")
    for name in ("", "-x", "ünï", "a b", "a/b"):
        with pytest.raises(UsageError, match="is not a name"):
            which.chosen(None, name)
    monkeypatch.setenv("TKM_LAB", "-x")
    with pytest.raises(UsageError, match="is not a name"):
        which.chosen(None)


def test_the_only_one_is_meant(up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    up.remove("two")
    assert which.chosen(None) == "one"
    monkeypatch.setenv("TKM_LAB", "")
    assert which.chosen(None) == "one"
    up.clear()
    with pytest.raises(NotUp):
        which.chosen(None)


def test_commands_to_paste_mean_this_lab(up: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert which.command("one", "check") == "tkm-lab check --lab one"
    up.remove("two")
    assert which.command("one", "logs", "alice") == "tkm-lab logs alice"
    monkeypatch.setenv("TKM_LAB", "two")
    assert which.command("one", "check") == "tkm-lab check --lab one"
    words = ("ping", "a b", "$(x)")
    assert shlex.split(which.command("one", *words))[-2:] == ["a b", "$(x)"]


def test_every_argument_is_completed() -> None:
    free = {("exec", "command"), ("new", "name"), ("save", "folder")}
    free.add(("schema", "kind"))  # a choice completes itself
    for name, command in cli.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Argument) and (name, parameter.name) not in free:
                assert parameter._custom_shell_complete is not None, (name, parameter.name)
    context = click.Context(cli.commands["run"])
    assert complete.scenarios(context, cli.commands["run"].params[0], "forged")
