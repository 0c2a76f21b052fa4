# SPDX-License-Identifier: GPL-2.0-or-later
"""The choice of a kernel. Nothing is pretended: the machine is asked, and made poorer by PATH."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import KernelError
from lab.kernel import probe, uml
from lab.kernel.probe import Kernel, choose, examine


def test_the_choice_agrees_with_what_was_found() -> None:
    found = {finding.subject: finding.good for finding in examine()}
    assert found["iproute2"]
    assert found["namespaces"]
    expected = Kernel.HOST if found["ESP"] else Kernel.UML
    assert choose().kernel is expected


def test_esp_is_found_exactly_where_the_kernel_takes_an_sa() -> None:
    sa = "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 1 mode transport"
    cipher = f"enc cbc(aes) 0x{'00' * 32} auth-trunc hmac(sha512) 0x{'00' * 64} 256"
    command = ["unshare", "--user", "--map-root-user", "--net", *sa.split(), *cipher.split()]
    works = subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert {f.subject: f.good for f in examine()}["ESP"] is works


def test_without_user_mode_linux_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uml, "MODULES", tmp_path / "none")
    with pytest.raises(KernelError, match="apt-get install user-mode-linux"):
        choose(Kernel.UML)


def test_without_ip_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match="apt-get install iproute2"):
        choose()
    assert not {finding.subject: finding.good for finding in examine()}["iproute2"]


def test_where_namespaces_are_forbidden_it_says_so() -> None:
    """A user namespace whose limit of further ones is none: nothing can be unshared in it."""
    code = (
        "from pathlib import Path\n"
        "Path('/proc/sys/user/max_net_namespaces').write_text('0')\n"
        "from lab.kernel.probe import choose\n"
        "print(choose())"
    )
    command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", code]
    root = Path(probe.__file__).parents[2]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert "no namespaces here; its process tree contains the lab" in result.stdout
    assert "namespaces=False" in result.stdout, "a guest is contained by its process tree"
