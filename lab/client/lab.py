# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab, for those who use one: the command line and pytest fixtures alike.

    with Lab.start("demo") as lab:
        lab.create([Node("alice", (Interface("net", ("192.0.2.1/24",)),)), ...])
        lab.run("alice", ["ping", "-c1", "192.0.2.2"])

A lab lives as long as the `Lab` that started it, or, after `keep`, until `down`.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from lab import hint
from lab.agent.programs import BUILTIN
from lab.client import node_socket, rendezvous
from lab.client.command import Execution, Sink
from lab.client.status import (
    Associations,
    CaptureFile,
    Completed,
    Interface,
    Log,
    Node,
    Progress,
    Status,
    Summary,
    Xfrm,
)
from lab.errors import LabError, NotUp, UsageError
from lab.kernel.probe import Choice, Kernel, choose
from lab.kernel.process import memory
from lab.protocol.channel import VERSION, Channel, Message, raise_error
from lab.xfrm.ip_output import read_policies, read_states
from lab.xfrm.netlink import read_messages

if TYPE_CHECKING:
    from vici import Session

__all__ = ["Interface", "Kernel", "Lab", "Node", "Progress"]


class Lab:
    """A connection to a lab that is up. Not for use by several threads at once."""

    def __init__(self, name: str, choice: Choice | None = None) -> None:
        self.name = name
        self.choice = choice
        """Which kernel was chosen and why, if this object started the lab."""
        self._leash: Channel | None = None
        self._keeper: int | None = None
        self._began = time.monotonic()

    @classmethod
    def start(
        cls,
        name: str,
        kernel: Kernel | str = Kernel.AUTO,
        progress: Callable[[Progress], None] | None = None,
        *,
        wait: bool = True,
        esp: bool = True,
        memory: str = "1G",
        capture: int = 64 << 20,
        programs: Mapping[str, str] | None = None,
        image: str = "",
        modules: str = "",
    ) -> Lab:
        """Start a lab; it has no nodes yet.

        Args:
            name: of the lab; free to choose among this user's labs.
            kernel: what it runs on.
            progress: called for each step, see `Progress`.
            wait: else return once the name is taken; `ready` must be called then.
            esp: False to take this host's kernel, when asked for, though it has no ESP.
            memory: of a guest, such as `1G`.
            capture: octets of frames that are remembered; the oldest are forgotten.
            programs: warm programs beside the builtin ones, name -> `module:function`.
            image: the path of the kernel that QEMU boots; else Debian's, see `lab.kernel.image`.
            modules: the folder of that kernel's modules; empty: all is built in.

        Raises:
            KernelError: no kernel, or it did not start.
            NameInUse: there is a lab of this name.
        """
        rendezvous.check_name(name)
        kernel = _kernel(kernel)
        if esp or kernel is not Kernel.HOST:
            choice = choose(kernel, image, modules)
        else:
            choice = Choice(kernel, "asked for")
        lab = cls(name, choice)
        warm = BUILTIN | dict(programs or {})
        plan = rendezvous.make_plan(name, choice.kernel, warm, memory, capture)
        plan = plan._replace(namespaces=choice.namespaces)
        if choice.image:
            plan = plan._replace(**choice.image._asdict(), accelerator=choice.accelerator)
        lab._leash, lab._keeper = rendezvous.launch(plan)
        try:
            lab._follow(until="keeper", progress=progress)
            if wait:
                lab.ready(progress)
        except BaseException:
            lab.down()
            raise
        return lab

    @classmethod
    def connect(cls, name: str) -> Lab:
        """A lab that is up. Raises NotUp if it is not, or is still being started."""
        rendezvous.check_name(name)
        lab = cls(name)
        lab._open().close()
        return lab

    @classmethod
    def all(cls) -> list[Summary]:
        """This user's labs, those still starting included."""
        found = []
        for name in rendezvous.names():
            with contextlib.suppress(NotUp):
                found.append(cls(name).summary())
        return found

    def ready(self, progress: Callable[[Progress], None] | None = None) -> None:
        """Wait for a lab that was started without waiting. Raises KernelError."""
        self._follow(until="ready", progress=progress)

    def _follow(self, *, until: str, progress: Callable[[Progress], None] | None) -> None:
        """Wait for a step of the start, see `Progress`; raise what goes wrong before it."""
        step = ""
        while step != until:
            if self._leash is None:
                raise UsageError("only who starts a lab can wait for it")
            body = self._leash.receive().body
            raise_error(body)
            step = body["event"]
            if progress is not None:
                about = {key: value for key, value in body.items() if key != "event"}
                progress(Progress(step, time.monotonic() - self._began, about))

    def why_ended(self) -> LabError | None:
        """The reason that the keeper gave for the lab's end, if it gave one."""
        return self._leash.last_error() if self._leash else None

    def keep(self) -> None:
        """Let the lab outlive this process."""
        if self._leash is not None:
            self._leash.send({"do": "keep"})
            self._leash.close()
            self._leash = None

    def down(self) -> None:
        """End the lab, wherever it is; when this returns, nothing of it is left.

        A lab that is down already is fine. Raises LabError for one that cannot be reached.
        """
        leash, self._leash = self._leash, None
        if leash is not None:
            leash.close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            rendezvous.end(keeper)
            os.waitpid(keeper, 0)
            return
        with contextlib.suppress(NotUp, ProcessLookupError):
            channel, pid, _ = rendezvous.meet(self.name)
            channel.close()
            if not pid:
                raise LabError(f"{self.name} runs in another PID namespace: end it from there")
            rendezvous.end(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def create(self, nodes: Iterable[Node], about: Mapping[str, Any] | None = None) -> None:
        """Build nodes and the links that their interfaces name. Once in a lab's life.

        `about` is JSON that nobody in the lab reads: `status` gives it to other front ends.

        Raises:
            LabError: the kernel refuses some of it, and which part.
        """
        named = [_with_names(node) for node in nodes]
        for node in named:
            rendezvous.check_name(node.name)
        links = list(dict.fromkeys(i.link for node in named for i in node.interfaces))
        specs = [asdict(node) for node in named]
        self._ask({"do": "create", "links": links, "nodes": specs, "about": dict(about or {})})

    def put_files(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Write files, path -> (octets, mode), into a node's private /tmp, /run or /etc."""
        table = [[path, mode, len(octets)] for path, (octets, mode) in files.items()]
        content = b"".join(octets for octets, _ in files.values())
        self._ask({"do": "files", "node": node, "files": table}, content)

    def spawn(self, node: str, argv: Sequence[str], name: str = "") -> int:
        """Start a daemon and return its PID in the node; its output goes to `logs`.

        A warm program (see `lab.agent.programs`) is forked, anything else executed.
        """
        request = {"do": "spawn", "node": node, "argv": list(argv), "name": name or argv[0]}
        return int(self._ask(request).body["done"]["pid"])

    def wait_for_socket(
        self, node: str, path: str, *, daemon: str = "", deadline: float = 10.0
    ) -> None:
        """Wait until a Unix socket in the node accepts.

        Raises:
            LabError: it did not; at once if `daemon` dies.
        """
        self._wait(node, deadline, socket=path, daemon=daemon)

    def wait_for_line(self, node: str, daemon: str, line: str, *, deadline: float = 10.0) -> None:
        """Wait until a daemon has printed a line that contains `line`. Raises LabError."""
        self._wait(node, deadline, line=line, daemon=daemon)

    def wait_for_exit(self, node: str, daemon: str, *, deadline: float = 10.0) -> None:
        """Wait until a daemon has ended."""
        self._wait(node, deadline, exit=daemon)

    def _wait(self, node: str, deadline: float, **condition: Any) -> None:
        self._ask({"do": "wait", "node": node, "deadline": deadline, **condition})

    def run(
        self,
        node: str,
        argv: Sequence[str],
        *,
        stdin: BinaryIO | int | None = None,
        tty: bool = False,
        stdout: Sink | None = None,
        stderr: Sink | None = None,
        end: int | None = None,
    ) -> int:
        """Run a command in a node and return its exit code (128 + signal, as shells do).

        Args:
            stdin: a file or descriptor to read from as input comes; none: no input.
            tty: give it a terminal; ours (stdin, put into raw mode) if that is one.
            stdout, stderr: where its output goes as it comes; ours, if not given.
            end: a descriptor; when it becomes readable, nobody reads the output any more, and the
                command is killed.
        """
        outputs = (stdout or sys.stdout.buffer, stderr or sys.stderr.buffer)
        with contextlib.closing(self._open()) as channel:
            return Execution(channel, stdin, outputs, end=end).run(node, list(argv), tty=tty)

    def call(self, node: str, argv: Sequence[str], given: bytes = b"") -> Completed:
        """Run a command in a node and return all its output."""
        stdout, stderr = bytearray(), bytearray()
        with contextlib.closing(self._open()) as channel:
            execution = Execution(channel, None, (stdout.extend, stderr.extend), given)
            code = execution.run(node, list(argv), tty=False)
        return Completed(code, bytes(stdout), bytes(stderr))

    def logs(self, node: str | None = None, daemon: str | None = None, since: int = 0) -> Log:
        """What a daemon, or all of them, has printed on a node, or on all, in order."""
        request = {"do": "logs", "node": node or "", "daemon": daemon or "", "since": since}
        answer = self._ask(request | {"follow": False})
        return Log(answer.body["done"])

    def vici(self, node: str) -> AbstractContextManager[Session]:
        """A session with the IKE daemon of a node; `lab.client.vici` has the usual commands.

        Raises LabError: there is none, or it does not serve yet.
        """
        return node_socket.vici_session(self._open(), node)

    def signal(self, node: str, daemon: str, number: int) -> None:
        """Send a signal to a daemon that may live."""
        self._ask({"do": "signal", "node": node, "daemon": daemon, "signal": int(number)})

    def stop(self, node: str, daemon: str) -> int:
        """End a daemon (SIGTERM, in the end SIGKILL) and return its exit code."""
        return int(self._ask({"do": "stop", "node": node, "daemon": daemon}).body["done"]["code"])

    def capture(self, link: str | None = None, since: int = 0) -> CaptureFile:
        """What was sent on a link, or on all, from the frame numbered `since` on."""
        answer = self._ask({"do": "capture", "link": link or "", "since": since, "follow": False})
        return CaptureFile.of(answer.body["done"], answer.octets)

    def watch(
        self, request: Mapping[str, Any], seconds: float | None = None, end: int | None = None
    ) -> Generator[Message, None, None]:
        """What the lab sends by itself about `request`, until the caller has enough.

        See `lab.observe.follow`. It ends when the descriptor `end` becomes readable. Raises
        LabError, Hangup when the lab ends; TimeoutError after so many seconds.
        """
        until = None if seconds is None else time.monotonic() + seconds
        with contextlib.closing(self._open()) as channel:
            channel.send(dict(request))
            while True:
                if until is not None:
                    channel.socket.settimeout(max(0.001, until - time.monotonic()))
                if end is not None and not channel.waiting:
                    ready, _, _ = select.select([channel.fileno(), end], [], [])
                    if end in ready:
                        return
                message = channel.receive()
                raise_error(message.body)
                yield message

    def disturb(
        self,
        link: str,
        nodes: Sequence[str],
        *,
        cut: bool | None = None,
        netem: Sequence[str] | None = None,
        down: bool | None = None,
    ) -> None:
        """Cut nodes off a link or unplug them; spoil what they receive (tc-netem(8)); or end that.

        What is None stays as it is. Raises LabError.
        """
        wanted = {"cut": cut, "down": down, "netem": None if netem is None else list(netem)}
        self._ask({"do": "disturb", "link": link, "nodes": list(nodes)} | wanted)

    def inject(self, link: str, node: str, frames: Sequence[bytes]) -> None:
        """Give a node frames that nobody on the link has sent; no capture shows them."""
        lengths = [len(frame) for frame in frames]
        request = {"do": "inject", "link": link, "node": node, "lengths": lengths}
        self._ask(request, b"".join(frames))

    def states(self, node: str) -> Xfrm:
        """The SAs (with keys) and policies in a node's kernel."""
        texts = []
        for table in ("state", "policy"):
            result = self.call(node, ["ip", "-s", "xfrm", table])
            if result.code:
                raise LabError(f"{node}: {result.stderr.decode(errors='replace').strip()}")
            texts.append(result.stdout.decode())
        return Xfrm(tuple(read_states(texts[0])), tuple(read_policies(texts[1])))

    def associations(self, node: str) -> Associations:
        """Every SA (with keys) that a node's kernel ever had; those that are gone, too."""
        answer = self._ask({"do": "associations", "node": node})
        return Associations(tuple(read_messages(answer.octets)), answer.body["done"]["lost"])

    def summary(self) -> Summary:
        """Who the lab is. Raises NotUp."""
        channel, _, hello = rendezvous.meet(self.name)
        channel.close()
        known = {field.name for field in fields(Summary)}
        return Summary(**{key: value for key, value in hello.items() if key in known})

    def status(self) -> Status:
        """All there is to report about the lab."""
        summary = self.summary()
        done = self._ask({"do": "status"}).body["done"]
        return Status.of(summary, done, memory(summary.keeper))

    def _open(self) -> Channel:
        channel, _, hello = rendezvous.meet(self.name)
        try:
            if hello.get("version") != VERSION:
                again = hint.rebuild(self.name)
                raise LabError(f"another version of tkm-lab has built {self.name}: {again}")
            if not hello["ready"]:
                raise NotUp(f"the lab {self.name} is still being started")
        except LabError:
            channel.close()
            raise
        return channel

    def _ask(self, body: dict[str, Any], octets: bytes = b"") -> Message:
        with contextlib.closing(self._open()) as channel:
            return channel.ask(body, octets)


def _kernel(kernel: Kernel | str) -> Kernel:
    try:
        return Kernel(kernel)
    except ValueError as unknown:
        known = ", ".join(Kernel)
        raise UsageError(f"no kernel {kernel}; there is: {known}") from unknown


def _with_names(node: Node) -> Node:
    """The node with a name for each interface."""
    numbered = enumerate(node.interfaces)
    return replace(
        node, interfaces=tuple(replace(i, name=i.name or f"eth{n}") for n, i in numbered)
    )
