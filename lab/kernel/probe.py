# SPDX-License-Identifier: GPL-2.0-or-later
"""Which kernel can be the lab's: found out by trying, not by reading configurations.

This host's kernel is asked to do in a throw-away network namespace what a lab will need of it: a
pair of interfaces, a bridge, and an ESP SA (AES-CBC-256 with HMAC-SHA-512). What was found is data
for `tkm-lab doctor`.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from lab.errors import KernelError
from lab.kernel import accelerator, image, initramfs, machine, platform, qemu, uml
from lab.kernel.image import Image


class Kernel(StrEnum):
    """What a lab can run on. `auto` takes the first that there is, in this order."""

    AUTO = "auto"
    HOST = "host"
    UML = "uml"
    QEMU = "qemu"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    good: bool
    text: str
    mend: str = ""
    """The command that mends it, if it is not good and there is one."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The kernel chosen, not `auto`, and why in a few words."""

    kernel: Kernel
    reason: str
    image: Image | None = None
    """What QEMU boots."""
    accelerator: str = ""
    """QEMU's: `kvm` or `tcg`."""
    namespaces: bool = True
    """Whether the lab can have namespaces here."""


_NETWORK = (
    "link add tkm0 type veth peer name tkm1",
    "link add tkm2 type bridge",
)
_ESP = (
    "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode transport"
    f" enc cbc(aes) 0x{'00' * 32} auth-trunc hmac(sha512) 0x{'00' * 64} 256"
)


def examine() -> list[Finding]:
    """Everything that decides which kernels a lab can have here."""
    tools = _tools()
    if not tools.good:
        return [tools, _uml(), _qemu()]
    namespaces = _namespaces()
    findings = [tools, namespaces]
    if namespaces.good:
        findings.append(_esp())
    return [*findings, _uml(namespaces=namespaces.good), _qemu()]


def choose(wanted: Kernel = Kernel.AUTO, path: str = "", modules: str = "") -> Choice:
    """The kernel that a lab will run on.

    Args:
        wanted: one of them, or `auto`.
        path: of the image that QEMU boots, if it is the user's own.
        modules: the folder of its modules, if it has some.

    Raises:
        KernelError: there is none as wanted; says what to do.
        UsageError: an image for a kernel that boots none.
    """
    platform.check_image(wanted, path, modules)
    _need(_tools)
    namespaces = _namespaces()
    if not namespaces.good:
        return _without_namespaces(wanted, namespaces, path, modules)
    if wanted is Kernel.QEMU:
        return _machine("asked for", _own(path, modules))
    if wanted is Kernel.UML:
        _need(_uml)
        return Choice(Kernel.UML, "asked for")
    esp = _esp()
    if esp.good:
        return Choice(Kernel.HOST, "it does ESP")
    if wanted is Kernel.HOST:
        raise KernelError(f"{esp.text}: use --kernel uml, or qemu")
    found = _uml()
    if found.good:
        return Choice(Kernel.UML, esp.text)
    last = _qemu()
    if last.good:
        return _machine(f"{esp.text}, and {found.text}")
    raise KernelError(f"{esp.text}, and {found.text}: {found.mend or last.mend}")


def _own(path: str, modules: str) -> Image | None:
    """The user's own image, if there is one."""
    own = image.given(path, modules) if path else None
    _need(lambda: _qemu(own))
    return own


def _without_namespaces(wanted: Kernel, namespaces: Finding, path: str, modules: str) -> Choice:
    """A guest that its process tree alone contains, see `lab.kernel.tree`."""
    how = "no namespaces here; its process tree contains the lab"
    if wanted is Kernel.HOST:
        raise KernelError(f"{namespaces.text}: {namespaces.mend or 'use --kernel uml'}")
    guest = _uml(namespaces=False)
    if wanted is Kernel.UML or (wanted is Kernel.AUTO and guest.good):
        _need(lambda: guest)
        return Choice(Kernel.UML, how, namespaces=False)
    if wanted is Kernel.AUTO and not _qemu().good:
        raise KernelError(f"{namespaces.text}, and {guest.text}: {guest.mend or _qemu().mend}")
    return dataclasses.replace(_machine(how, _own(path, modules)), namespaces=False)


def _machine(reason: str, own: Image | None = None) -> Choice:
    """The choice of QEMU, when it was found to be good."""
    program, here, booted = qemu.find(), machine.here(), own or image.find()
    if program is None or here is None or booted is None:
        raise KernelError("QEMU or its kernel has just been removed")
    speed = accelerator.choose(program, here, booted)
    how = "KVM" if speed == accelerator.KVM else "emulation, since KVM does not run a guest here"
    return Choice(Kernel.QEMU, f"{reason}; {Path(booted.image).name}, {how}", booted, speed)


def _need(*looks: Callable[[], Finding]) -> None:
    """Raise KernelError for the first that is not good."""
    for look in looks:
        finding = look()
        if not finding.good:
            raise KernelError(f"{finding.text}: {finding.mend}" if finding.mend else finding.text)


def _tools() -> Finding:
    if path := shutil.which("ip"):
        return Finding("iproute2", True, path)
    return Finding("iproute2", False, "the command ip is missing", "apt-get install iproute2")


def _uml(*, namespaces: bool = True) -> Finding:
    linux = uml.find()
    if linux is None or not uml.MODULES.is_dir():
        install = "apt-get install user-mode-linux"
        return Finding("User-Mode Linux", False, "linux.uml is not installed", install)
    versions = " ".join(sorted(folder.name for folder in uml.MODULES.iterdir()))
    fit = uml.fit(linux)
    if fit.problem:
        return Finding("User-Mode Linux", False, fit.problem, "use --kernel qemu")
    if not namespaces and not uml.can_do_without_namespaces(linux):
        return Finding("User-Mode Linux", False, uml.UNCONTAINED, "use --kernel qemu")
    case = "; ".join(filter(None, [f"{linux}, modules {versions}", fit.describe()]))
    return Finding("User-Mode Linux", True, case)


def _qemu(own: Image | None = None) -> Finding:
    """Whether QEMU can start here, with the user's own kernel or with one that is found."""
    bad = partial(Finding, "QEMU", False)
    here = machine.here()
    if here is None:
        return bad(f"the lab has no QEMU machine for {os.uname().machine}")
    program = qemu.find()
    packages = [] if program else [here.qemu]
    packages += [] if initramfs.find_busybox() else ["busybox-static"]
    if packages:
        install = f"apt-get install {' '.join(packages)}"
        what = f"{here.program} is" if program is None else "a static busybox is"
        return bad(f"{what} not installed", install)
    booted = own or image.find()
    if booted is None:
        command = shlex.join([sys.executable, "-m", "lab.kernel.fetch"])
        return bad("no kernel image with 9p was found for QEMU", command)
    return Finding("QEMU", True, f"{program}, {booted.image}")


def _namespaces() -> Finding:
    complaint = _try_in_namespace("true")
    if complaint is None:
        how = "as root" if os.geteuid() == 0 else "as an ordinary user, in user namespaces"
        return Finding("namespaces", True, how)
    cause, remedy = _forbidden_by()
    what = f"no namespaces may be made here ({cause or complaint})"
    return Finding("namespaces", False, what, remedy)


_SWITCHES = {
    "kernel.apparmor_restrict_unprivileged_userns": ("1", 0),
    "kernel.unprivileged_userns_clone": ("0", 1),
    "user.max_user_namespaces": ("0", 10000),
    "user.max_net_namespaces": ("0", 10000),
}
"""Settings that can forbid user namespaces, the likeliest first: the value that does, and one that
permits them."""
_CONTAINER = "docker run --security-opt seccomp=unconfined --cap-add SYS_ADMIN, if it must be"


def _forbidden_by() -> tuple[str, str]:
    """What forbids namespaces, and the command that permits them; empty where not known."""
    for name, (forbids, permits) in _SWITCHES.items():
        setting = Path("/proc/sys", name.replace(".", "/"))
        if os.geteuid() and setting.exists() and setting.read_text().strip() == forbids:
            return f"{name} is {forbids}", f"sudo sysctl -w {name}={permits}"
    if _status("Seccomp") == "2":
        return "a seccomp filter forbids them, as in Docker's containers", _CONTAINER
    return "", ""


def _status(name: str) -> str:
    """A field of /proc/self/status; empty if it is not there."""
    lines = (line.partition(":") for line in Path("/proc/self/status").read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key == name), "")


def _esp() -> Finding:
    complaint = _try_in_namespace("ip", "-batch", "-", given="\n".join((*_NETWORK, _ESP)) + "\n")
    release = os.uname().release
    if complaint is None:
        return Finding("ESP", True, f"this host's kernel {release} does it")
    for number, thing in enumerate(("veth", "bridge"), start=1):
        if f"-:{number}" in complaint:  # as `ip -batch` names the command that failed
            return Finding("ESP", False, f"this host's kernel {release} has no {thing}")
    return Finding("ESP", False, f"this host's kernel {release} has no ESP")


def _try_in_namespace(*command: str, given: str = "") -> str | None:
    """Run a command in a throw-away network namespace; return its complaint, if it fails."""
    complaint: str | None = ""
    for user in ([], ["--user", "--map-root-user"]):  # as `lab.kernel.contain` does
        if user or os.geteuid() == 0:
            complaint = _try(["unshare", *user, "--net", *command], given)
            if complaint is None:
                return None
    return complaint


def _try(line: list[str], given: str) -> str | None:
    try:
        result = subprocess.run(
            line, input=given, capture_output=True, text=True, check=False, timeout=20
        )
    except FileNotFoundError:
        return "the command unshare is missing"
    except subprocess.TimeoutExpired:
        return "it hangs"
    return " ".join(result.stderr.split()) or "?" if result.returncode else None
