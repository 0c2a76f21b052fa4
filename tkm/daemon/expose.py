# SPDX-License-Identifier: GPL-2.0-or-later
"""For labs alone: the keys of IKE SAs go into a file, so that Wireshark can open IKE messages.

Whoever reads that file reads and forges IKE messages, and with them whatever the Key Manager keeps
from the IKE daemon. So nothing does this by itself: it takes an option of the program, and an
environment which says that the keys are worth nothing. The file is only ours to read. It says
nothing of ESP, and nothing of the host's private key.
"""

import logging
import os
import stat
from typing import Final

from tkm.core.kinds import IkeSa
from tkm.core.manager import Compute
from tkm.crypto.secret import Secret
from tkm.errors import ConfigError
from tkm.rpc.record import Record

log = logging.getLogger(__name__)

PERMISSION: Final = "TKM_KEYS_ARE_WORTHLESS"
"""The environment variable that has to be `yes`."""
_ENCRYPTION: Final = '"AES-CBC-256 [RFC3602]"'
_INTEGRITY: Final = '"HMAC_SHA2_512_256 [RFC4868]"'


class Exposure:
    """A file, with a row of Wireshark's `ikev2_decryption_table` for each set of IKE keys.

    An IKE SA whose keys change in IKE_INTERMEDIATE has several; Wireshark goes by the last.

    :raises ConfigError: the environment does not allow it, or the file cannot be made.
    """

    def __init__(self, path: str) -> None:
        if os.environ.get(PERMISSION) != "yes":
            raise ConfigError(f"IKE keys are exposed only where {PERMISSION}=yes: never on a host")
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        about = os.fstat(self._file)
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
            raise ConfigError(f"{path}: it is there, and others may read it")
        log.critical("IKE KEYS ARE EXPOSED in '%s': WHAT IKE PROTECTS IS OPEN", path)

    def of(self, compute: Compute) -> Compute:
        """An operation that gives an IKE SA new keys, and then tells them."""

        def told(request: object, isa: IkeSa, **contexts: object) -> Record:
            reply = compute(request, isa=isa, **contexts)
            self._write(isa)
            return reply

        return told

    def _write(self, isa: IkeSa) -> None:
        keys, roles = isa.secret_keys, isa.roles
        cells = (
            *(roles.spi_i.hex(), roles.spi_r.hex(), _hex(keys.ei), _hex(keys.er), _ENCRYPTION),
            *(_hex(keys.ai), _hex(keys.ar), _INTEGRITY),
        )
        try:
            os.write(self._file, (",".join(cells) + "\n").encode())
        except OSError as error:
            log.error("IKE keys of ISA context %d are not exposed: %s", isa.number, error.strerror)


def _hex(key: Secret) -> str:
    return key.octets.hex()
