# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU as the lab kernel: the image, its first file system, KVM, and what is missing."""

from __future__ import annotations

import gzip
import lzma
import subprocess
from pathlib import Path

import pytest

from lab.errors import KernelError, UsageError
from lab.kernel import accelerator, fetch, image, initramfs, modules, probe, qemu, uml
from lab.kernel.machine import MACHINES
from lab.kernel.place import PRIVATE
from lab.kernel.plan import Plan
from lab.kernel.probe import Kernel, choose

X86 = MACHINES["x86_64"]
BOOTED = image.Image("/boot/vmlinuz", "/modules")


def bz_image(version: bytes = b"6.1.0-lab (someone) #1\0") -> bytes:
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x300).to_bytes(2, "little")
    head[0x500 : 0x500 + len(version)] = version
    return bytes(head)


def program(place: Path, text: str) -> Path:
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)
    return place


def write_index(folder: Path, text: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / modules.INDEX).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("suffix", "octets"),
    [("", b"ELF"), (".gz", gzip.compress(b"ELF", mtime=0)), (".xz", lzma.compress(b"ELF"))],
)
def test_a_compressed_module_is_read(tmp_path: Path, suffix: str, octets: bytes) -> None:
    file = tmp_path / f"esp4.ko{suffix}"
    file.write_bytes(octets)
    assert modules.read(file) == b"ELF"


def test_the_first_file_system_holds_the_modules_in_order(tmp_path: Path) -> None:
    folder = write_index(tmp_path / "modules", "a/9p.ko.gz: a/9pnet.ko\na/9pnet.ko:\n")
    (folder / "a").mkdir()
    (folder / "a/9p.ko.gz").write_bytes(gzip.compress(b"9p"))
    (folder / "a/9pnet.ko").write_bytes(b"net")
    made = initramfs.make(folder, ["/bin/py thon", "x"])
    unpack = ["busybox", "cpio", "-id"]
    subprocess.run(unpack, cwd=tmp_path, input=made, check=True, capture_output=True)
    script = (tmp_path / "init").read_text()
    assert "for module in 9pnet.ko 9p.ko; do" in script
    assert script.endswith("switch_root /root '/bin/py thon' x\n")
    assert (tmp_path / "modules/9p.ko").read_bytes() == b"9p"
    assert (tmp_path / "init").stat().st_mode & 0o111
    subprocess.run(["busybox", "sh", "-n", tmp_path / "init"], check=True)


def test_a_busybox_with_libraries_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "busybox").symlink_to("/bin/ls")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError, match="apt-get install busybox-static"):
        initramfs.make(None, [])


def test_an_image_of_the_users_own(tmp_path: Path) -> None:
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(bz_image())
    assert image.given(str(kernel), "") == (str(kernel), "")
    fitting = write_index(tmp_path / "lib/modules/6.1.0-lab")
    write_index(tmp_path / "lib/modules/6.2.0")
    assert image.given(str(kernel), str(tmp_path)).modules == str(fitting)
    assert image.given(str(kernel), str(fitting)).modules == str(fitting)


def test_what_is_wrong_with_an_image(tmp_path: Path) -> None:
    kernel = tmp_path / "bzImage"
    with pytest.raises(KernelError, match=r"cannot read the kernel image .*: No such file"):
        image.given(str(kernel), "")
    kernel.write_bytes(b"text")
    with pytest.raises(KernelError, match="is not a kernel image: give the path of a bzImage"):
        image.given(str(kernel), "")
    kernel.write_bytes(bz_image())
    with pytest.raises(KernelError, match="make modules_install INSTALL_MOD_PATH="):
        image.given(str(kernel), str(tmp_path))
    write_index(tmp_path / "lib/modules/6.2.0")
    with pytest.raises(KernelError, match=r"has modules of 6\.2\.0, and the image is 6\.1\.0-lab"):
        image.given(str(kernel), str(tmp_path))


def test_the_machine_has_no_network_and_cannot_write_to_this_host() -> None:
    plan = Plan("n", "qemu", "", [], "", [], {}, accelerator="tcg", image="/boot/vmlinuz")
    words = qemu.arguments(plan, X86, PRIVATE, 7)
    assert "-nodefaults" in words
    assert not any("net" in word for word in words)
    (shared,) = (word for word in words if word.startswith("local,"))
    assert "readonly=on" in shared
    assert "socket,id=line,fd=7" in words


@pytest.fixture
def kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev/kvm that can be opened, and an empty cache."""
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accelerator, "DEVICE", device)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return device


def test_kvm_is_taken_if_a_guest_runs(kvm: Path, tmp_path: Path) -> None:
    works = program(tmp_path / "qemu", "echo Kernel panic - not syncing: VFS")
    assert accelerator.choose(str(works), X86, BOOTED) == "kvm"
    kvm.unlink()
    assert accelerator.choose(str(works), X86, BOOTED) == "tcg"


@pytest.mark.usefixtures("kvm")
def test_kvm_in_which_a_guest_hangs_is_tried_once_for_each_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "DEADLINE", 0.2)
    tried = tmp_path / "tried"
    hangs = program(tmp_path / "qemu", f"echo x >> {tried}; exec sleep 100")
    for _ in range(2):
        assert accelerator.choose(str(hangs), X86, BOOTED) == "tcg"
    assert tried.read_text() == "x\n"
    program(hangs, f"echo x >> {tried}; echo Kernel panic")  # another QEMU: another machine
    assert accelerator.choose(str(hangs), X86, BOOTED) == "kvm"


@pytest.mark.usefixtures("kvm")
def test_a_note_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    accelerator.remember("key", works=True)
    assert accelerator.remembered("key") is True
    assert accelerator.remembered("of another machine") is None
    for text in ("", "[]", '{"key": "key"}'):
        (tmp_path / "cache/tkm-lab/kvm.json").write_text(text)
        assert accelerator.remembered("key") is None


def test_without_qemu_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "find", lambda: None)
    with pytest.raises(KernelError, match="apt-get install qemu-system-"):
        choose(Kernel.QEMU)
    monkeypatch.undo()
    monkeypatch.setattr(image, "find", lambda: None)
    with pytest.raises(KernelError, match=r"no kernel image .*-m lab\.kernel\.fetch"):
        choose(Kernel.QEMU)


def test_an_image_needs_qemu() -> None:
    with pytest.raises(UsageError, match="add --kernel qemu"):
        choose(Kernel.UML, "bzImage")
    with pytest.raises(UsageError, match="add --image PATH"):
        choose(Kernel.QEMU, "", "modules")


def test_auto_takes_qemu_where_there_is_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_esp = probe.Finding("ESP", False, "this host's kernel has no ESP")
    monkeypatch.setattr(probe, "_esp", lambda: no_esp)
    monkeypatch.setattr(uml, "MODULES", tmp_path / "none")
    monkeypatch.setattr(accelerator, "DEVICE", tmp_path / "none")
    choice = choose()
    assert (choice.kernel, choice.accelerator) == (Kernel.QEMU, "tcg")
    assert choice.image == image.find()


def test_a_kernel_in_the_cache_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depends = "echo linux-image-amd64; echo ' Depends: linux-image-6.1.0-50-amd64'"
    program(tmp_path / "apt-cache", depends)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KernelError, match="there is no apt-get"):
        fetch.fetch()
    folder = tmp_path / "tkm-lab/kernel/6.1.0-50-amd64"
    assert not list(folder.parent.iterdir())  # nothing half done
    folder.mkdir()
    assert fetch.fetch() == folder
