# SPDX-License-Identifier: GPL-2.0-or-later
"""What `pip install tkm-lab` brings, from a source distribution into an empty environment.

pip uses whatever index this machine has configured, as scripts/setup.sh does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.cli.entry import PACKAGES

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "tkm_keymanager": "--version",
    "tkm_cfgtool": "--version",
    "xfrm_proxy": "--version",
    "tkm_iked": "--version",
}
DEPENDENCIES = {"cffi", "cryptography", "pycparser", "pyroute2", "tkm-lab", "typing-extensions"}
"""cryptography, pyroute2, and what they need themselves."""
_DEADLINE = 240
_SDIST = "from setuptools.build_meta import build_sdist; print(build_sdist('dist'))"
_FILES = """
from importlib.metadata import files, distributions
print(*files("tkm-lab"))
print(*(each.name.lower().replace("_", "-") for each in distributions()))
"""


class Installed(NamedTuple):
    """A source distribution, and an environment into which it was installed."""

    sdist: Path
    programs: Path
    files: frozenset[str]
    """What the wheel contains, by path."""
    packages: frozenset[str]

    def run(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the sources."""
        return _run(self.programs / name, *arguments, cwd=self.programs)


def _run(
    command: str | Path, *arguments: str | Path, cwd: Path
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [command, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        check=False,
    )


def _tracked() -> list[str]:
    """The files of the project, as a clone has them: also those that are not committed yet."""
    listed = _run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT)
    assert listed.returncode == 0, listed.stderr
    return [name for name in listed.stdout.split() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The project, packed in one environment and installed into another that has no pip."""
    work = tmp_path_factory.mktemp("distribution")
    source, builder, target = work / "source", work / "builder", work / "target"
    for name in _tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    venv.create(builder, with_pip=True)
    venv.create(target)
    pip = (builder / "bin/python", "-m", "pip", "--disable-pip-version-check")

    def done(*command: str | Path, cwd: Path = work) -> str:
        result = _run(*command, cwd=cwd)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    done(*pip, "install", "--quiet", "setuptools>=77")
    name = done(builder / "bin/python", "-c", _SDIST, cwd=source).splitlines()[-1]
    sdist = source / "dist" / name
    wheel = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", work, sdist)
    done(*pip, *wheel)
    (built,) = work.glob("*.whl")
    done(*pip, "--python", target / "bin/python", "install", "--quiet", built)
    files, packages = done(target / "bin/python", "-I", "-c", _FILES).splitlines()
    return Installed(sdist, target / "bin", frozenset(files.split()), frozenset(packages.split()))


@pytest.mark.parametrize(("program", "option"), PROGRAMS.items())
def test_programs_run(installed: Installed, program: str, option: str) -> None:
    outcome = installed.run(program, option)
    assert outcome.returncode == 0, outcome.stderr
    assert program in outcome.stdout.splitlines()[0]


def test_a_gateway_gets_cryptography_and_netlink_alone(installed: Installed) -> None:
    assert {"tkm-lab", "cryptography", "pyroute2"} <= installed.packages <= DEPENDENCIES


def test_tkm_lab_reports_what_to_install(installed: Installed) -> None:
    outcome = installed.run("tkm-lab", "up", "two-hosts")
    assert outcome.returncode == 2
    needs = f"the lab needs {', '.join(PACKAGES)}"
    assert outcome.stderr == f"tkm-lab: {needs}: pip install 'tkm-lab[lab]'\n"


def test_the_wheel_contains_the_packages_and_nothing_else(installed: Installed) -> None:
    ours = ("tkm/", "tkm_cfgtool/", "xfrm_proxy/", "ike/", "lab/", "scenarios/")
    expected = {name for name in _tracked() if name.startswith(ours)} | {"tkm_lab_pytest.py"}
    found = {name for name in installed.files if not name.startswith(("../", "tkm_lab-"))}
    assert {name for name in found if "__pycache__" not in name} == expected


def test_the_source_distribution_contains_what_a_clone_does(installed: Installed) -> None:
    with tarfile.open(installed.sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in _tracked() if name not in found]
    assert set(missing) <= {".gitignore", ".ci/run"}
