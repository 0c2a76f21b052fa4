# SPDX-License-Identifier: GPL-2.0-or-later
"""PID 1 of a lab on this host's kernel: makes ready its mounts, then is the agent.

`host.py STREAM PLAN`: the descriptor of the stream to the keeper, and the plan as JSON.
"""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    stream, plan = int(sys.argv[1]), json.loads(sys.argv[2])
    sys.path[:0] = [entry for entry in plan["path"] if entry not in sys.path]
    from lab.agent.agent import serve
    from lab.kernel import syscalls

    os.set_inheritable(stream, False)
    syscalls.mount("proc", "/proc", "proc")
    syscalls.mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    syscalls.sethostname("lab")
    serve(stream, plan)


if __name__ == "__main__":
    main()
