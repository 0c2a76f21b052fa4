# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands share: options, the lab that is meant, output for programs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lab.cli import complete
from lab.errors import Hangup

if TYPE_CHECKING:
    from lab.client.lab import Lab

F = TypeVar("F", bound=Callable[..., Any])


def lab_option_as(parameter: str) -> Callable[[F], F]:
    """The option --lab, as a parameter of that name."""
    return click.option(
        "--lab",
        parameter,
        metavar="NAME",
        help="Which lab; else that of TKM_LAB, or the only one.",
        shell_complete=complete.labs,
    )


lab_option = lab_option_as("name")
json_option: Callable[[F], F] = click.option(
    "--json", "as_json", is_flag=True, help="For programs."
)

ike_option: Callable[[F], F] = click.option(
    "--ike",
    multiple=True,
    metavar="NODE=BACKEND",
    help="Who does IKE on a node: builtin, strongswan, charon-tkm or none.",
    shell_complete=complete.ike,
)


_PLATFORM = (
    click.option(
        "--kernel",
        type=click.Choice(["auto", "host", "uml", "qemu"]),
        default="auto",
        show_default=True,
        help="This host's, User-Mode Linux, a QEMU machine, or the first of them that can do ESP.",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        default="",
        help="Of a guest, such as 2G or 768M; else as much as its hosts need.",
    ),
    click.option(
        "--capture",
        metavar="SIZE",
        default="64M",
        show_default=True,
        help="Memory for captured frames; when it is full, the oldest are forgotten.",
    ),
    click.option("--image", metavar="PATH", default="", help="The kernel that QEMU boots."),
    click.option(
        "--modules", metavar="FOLDER", default="", help="That kernel's modules, if it needs some."
    ),
)
"""What a lab runs on, see `lab.kernel.platform`."""


def platform_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of what its labs run on, as one parameter `platform`."""

    @functools.wraps(command)
    def with_platform(
        *, kernel: str, memory: str, capture: str, image: str, modules: str, **others: Any
    ) -> Any:
        from lab.kernel.platform import chosen

        return command(platform=chosen(kernel, memory, capture, image, modules), **others)

    for option in reversed(_PLATFORM):
        option(with_platform)
    return with_platform


def the_lab(name: str | None) -> Lab:
    """The lab that is meant, see `which.chosen`.

    Raises NotUp, UsageError.
    """
    from lab.client import which
    from lab.client.lab import Lab

    return Lab.connect(which.chosen(None, name))


@contextmanager
def ending_quietly() -> Iterator[None]:
    """For what has no end of its own: Ctrl-C, the reader's end and the lab's are all good."""
    with suppress(KeyboardInterrupt, Hangup):
        yield


def print_json(value: Any) -> None:
    """Print a value as JSON; what JSON does not know, as text."""
    click.echo(json.dumps(value, indent=2, default=str))
