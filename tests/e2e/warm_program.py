# SPDX-License-Identifier: GPL-2.0-or-later
"""A warm program for test_lab: serves a Unix socket until it is told to end."""

from __future__ import annotations

import socket
import sys


def main(argv: list[str] | None = None) -> int:
    """`PATH`: where to listen. Who says `end` ends us, with code 5."""
    path = (argv or sys.argv[1:])[0]
    print(f"listening at {path}")
    print("a warning", file=sys.stderr)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection:
                if connection.recv(16) == b"end":
                    return 5
