# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin for pytest: fixtures `lab`, `topology`, `links`; options that begin with `--lab-`.

It is loaded in every session of whoever has tkm-lab installed, so it imports nothing of the lab
until a test asks for one. The names of its packages are ordinary: a project may have its own
`lab`, and must be able to run its tests all the same.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from lab.client.lab import Lab
    from lab.kernel.platform import Platform
    from lab.testing.expect import Links
    from lab.testing.pool import Pool
    from lab.topology import Topology

_MARKER = (
    "topology(name, fresh=False, ike={}, **parameters): the topology of the fixture `lab`, by its "
    "name or its path; fresh: a lab for this test alone; ike: back ends by node"
)


_PACKAGES = ("lab", "tkm", "ike")


_PLATFORM = (
    ("memory", "SIZE", "", "of a guest, as tkm-lab up --memory"),
    ("capture", "SIZE", "64M", "memory for captured frames, as tkm-lab up --capture"),
    ("image", "PATH", "", "the kernel that QEMU boots, as tkm-lab up --image"),
    ("modules", "FOLDER", "", "that kernel's modules, as tkm-lab up --modules"),
)
"""Options about what labs run on, beside --lab-kernel: name, value, default, help."""


class _Use(NamedTuple):
    """A lab in the hands of a test."""

    lab: Lab
    links: Links
    first_line: int
    """Of the daemons' logs."""


_USE = pytest.StashKey[_Use]()
_POOL = pytest.StashKey["Pool"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("lab", "labs with IPsec (tkm-lab)")
    group.addoption(
        "--lab-kernel",
        choices=("auto", "host", "uml", "qemu"),
        default="auto",
        help="what labs run on, as tkm-lab up --kernel",
    )
    for option, metavar, default, what in _PLATFORM:
        group.addoption(f"--lab-{option}", metavar=metavar, default=default, help=what)
    group.addoption("--lab-keep", action="store_true", help="leave the labs up at the end")
    group.addoption(
        "--lab-pause-on-fail",
        action="store_true",
        help="when a test fails, wait for Enter while its lab is still up (not with -n)",
    )
    group.addoption(
        "--lab-artifacts",
        metavar="DIR",
        type=Path,
        help="where failed tests leave captures, keys and logs; else in pytest's own tmp_path",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker; and what does not go together."""
    config.addinivalue_line("markers", _MARKER)
    workers = getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput")
    if config.getoption("--lab-pause-on-fail") and workers:
        raise pytest.UsageError("--lab-pause-on-fail needs a terminal: run without -n")


def _check_packages() -> None:
    """Raise UsageError if packages of the project hide those of tkm-lab, which are beside us."""
    for name in _PACKAGES:
        spec = find_spec(name)
        found = Path(spec.origin).parent if spec and spec.origin else None
        if found is None or found.resolve() != Path(__file__).resolve().parent / name:
            hides = f"the package {name} in {found}" if found else f"another package {name}"
            raise pytest.UsageError(
                f"{hides} hides tkm-lab's own {name}: rename it, or keep its folder out of"
                " sys.path (run pytest, not python -m pytest)"
            )


def _platform(options: Any) -> Platform:
    """What labs run on. Raises UsageError."""
    from lab.errors import UsageError
    from lab.kernel.platform import chosen

    words = [getattr(options, f"lab_{name}") for name in ("kernel", *(row[0] for row in _PLATFORM))]
    try:
        return chosen(*words, prefix="--lab-")
    except UsageError as trouble:
        raise pytest.UsageError(str(trouble)) from trouble


@pytest.fixture
def topology(request: pytest.FixtureRequest) -> Topology | str | Path:
    """What `lab` is built from, by the marker `topology`; override it to say so by other means."""
    marker = request.node.get_closest_marker("topology")
    if marker is None or not marker.args:
        raise pytest.UsageError("say of which topology: @pytest.mark.topology('two-hosts')")
    wanted: Topology | str | Path = marker.args[0]
    return wanted


@pytest.fixture(scope="session")
def lab_pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """The labs of this session, or of this worker."""
    _check_packages()
    from lab.testing.pool import Pool

    options = request.config.option
    pool = request.config.stash[_POOL] = Pool(_platform(options), keep=options.lab_keep)
    yield pool
    if not options.lab_keep:
        pool.end()


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, lab_pool: Pool, topology: Topology | str | Path
) -> Iterator[Lab]:
    """A lab (`lab.client.lab.Lab`) that is up; tests of the same topology share it."""
    from lab.testing.expect import Links
    from lab.testing.pool import find_topology

    marker = request.node.get_closest_marker("topology")
    options = dict(marker.kwargs) if marker else {}
    fresh, back_ends = options.pop("fresh", False), options.pop("ike", {})
    plan = find_topology(topology, request.path.parent, options, back_ends)
    own = lab_pool.build(plan) if fresh else lab_pool.shared(plan)
    lines = own.logs()
    first_line = lines[-1].number + 1 if lines else 0
    request.node.stash[_USE] = _Use(own, Links(own), 0 if fresh else first_line)
    yield own
    if fresh and not request.config.getoption("--lab-keep"):
        own.down()


@pytest.fixture
def links(request: pytest.FixtureRequest, lab: Lab) -> Links:
    """The links of `lab`, from the beginning of the test on: `links("wire").expect(ESP)`."""
    use: _Use = request.node.stash[_USE]
    return use.links


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach to a failure what its lab has seen; while the lab is up, wait, if that was wanted."""
    report = yield
    use = item.stash.get(_USE, None)
    if use is not None and report.when == "call" and report.failed:
        from lab.testing import artifacts

        place = artifacts.folder(_artifacts(item), item.nodeid)
        sections = artifacts.save(use.lab, use.links, use.first_line, place)
        report.sections += sections
        if missing := dict(sections).get(artifacts.INCOMPLETE):
            with contextlib.suppress(pytest.PytestWarning):  # the section says it, anyway
                item.warn(pytest.PytestWarning(f"{item.nodeid}: not all of its lab: {missing}"))
        if item.config.getoption("--lab-pause-on-fail"):
            _pause(item.config, item.nodeid, report, use.lab.name, _node_names(use.lab))
    return report


def _artifacts(item: pytest.Item) -> Path:
    chosen: Path | None = item.config.getoption("--lab-artifacts")
    if chosen is not None:
        return chosen.absolute()
    factory: Any = item.config._tmp_path_factory  # type: ignore[attr-defined]
    return Path(factory.getbasetemp()) / "lab"


def _node_names(lab: Lab) -> list[str]:
    """Of a lab; none if it has died."""
    from lab.errors import LabError

    with contextlib.suppress(LabError, OSError):
        return [node.name for node in lab.status().nodes]
    return []


def _pause(
    config: pytest.Config, test: str, report: pytest.TestReport, lab: str, nodes: list[str]
) -> None:
    capture: Any = config.pluginmanager.getplugin("capturemanager")
    capture.suspend(in_=True)
    from lab import hint

    try:
        print(f"\n{report.longreprtext}\n\n{test} has failed, and its lab is up. Elsewhere:")
        for words in (("status",), ("logs",), *(("shell", node) for node in nodes[:1])):
            print(f"  {hint.command(lab, *words)}")
        print("Enter goes on.", flush=True)
        sys.stdin.readline()
    finally:
        capture.resume()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which labs were left up."""
    pool = config.stash.get(_POOL, None)
    if pool is not None and config.getoption("--lab-keep"):
        from lab import hint

        for name in pool.names:
            terminalreporter.write_line(f"the lab {name} is up: {hint.command(name, 'down')}")
