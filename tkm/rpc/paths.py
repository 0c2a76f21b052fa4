# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the daemons of a host meet: the paths of their Unix sockets.

Each default is in a folder of its own, which belongs to the daemon that serves there: nobody but
root and that daemon can take the name, not even the other daemons. In /tmp, where the original in
Ada has its sockets and charon-tkm looks for them, whoever comes first can.
"""

import errno
import os
from pathlib import Path
from typing import Final

IKE_SOCKET: Final = "/run/tkm/keymanager/rpc.ike"
"""tkm_keymanager serves the IKE daemon here."""
EES_SOCKET: Final = "/run/tkm/iked/rpc.ees"
"""The IKE daemon serves xfrm_proxy here."""

ORIGINAL_IKE_SOCKET: Final = "/tmp/tkm.rpc.ike"
ORIGINAL_EES_SOCKET: Final = "/tmp/tkm.rpc.ees"
"""The same two of the original, compiled into charon-tkm (strongSwan 5.7 to 5.9)."""

_DEFAULTS: Final = (IKE_SOCKET, EES_SOCKET)


def prepare(path: str, option: str) -> None:
    """Make the folder of a default socket if it is missing, and check that ours can be made there.

    Args:
        path: of the socket.
        option: the option that chooses another path, for the error message.

    Raises:
        OSError: no socket can be made there; its text names the option.
    """
    folder = Path(path).parent
    try:
        if path in _DEFAULTS:
            _make(folder)
        folder.stat()
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        advice = f"no socket can be made in {folder} as user {os.geteuid()}"
        raise OSError(
            error.errno, f"{error.strerror}: {advice}; choose another path with {option}", path
        ) from None


def _make(folder: Path) -> None:
    """Folders that all may enter, as daemons of other users connect; whatever our umask is."""
    for each in (folder.parent, folder):
        if not each.exists():
            each.mkdir()
            each.chmod(0o755)
