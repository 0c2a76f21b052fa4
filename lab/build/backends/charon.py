# SPDX-License-Identifier: GPL-2.0-or-later
"""What all of strongSwan's daemons have in common: where their files are, and how they start.

A daemon gets copies of strongSwan's programs, and settings of its own, through its environment:
AppArmor's profiles go by the paths of programs, and let them read nothing but this host's own
configuration, which is none of the lab's business.
"""

from __future__ import annotations

from pathlib import Path

from lab.build.backends.model import FOLDERS, Argv, Daemon
from lab.build.files import FOLDER
from lab.client.node_socket import VICI

CONF = f"{FOLDER}/strongswan.conf"
PROGRAMS = "/run/strongswan"
"""Where the copies are."""
_ENVIRONMENT = ("env", f"STRONGSWAN_CONF={CONF}", f"SWANCTL_DIR={FOLDER}")
_FOLDERS = (
    *("private", "rsa", "ecdsa", "bliss", "pkcs8", "pkcs12", "pubkey"),
    *("x509", "x509ca", "x509aa", "x509ac", "x509crl", "x509ocsp"),
)
_LOADED = "successfully loaded"
"""Begins the last line that swanctl writes about connections."""

_SETTINGS = """\
charon {{
  plugins {{
    vici {{
      socket = unix://{vici}
    }}
  }}
  start-scripts {{
    load = {swanctl} --load-all --noprompt || kill $PPID
  }}
  filelog {{
    stderr {{
      default = 1
      time_format = %b %d %Y %H:%M:%S
      flush_line = yes
    }}
  }}
  syslog {{
    daemon {{
      default = -1
    }}
  }}
  journal {{
    default = -1
  }}
}}
"""
_SWANCTL = """swanctl {{
  load = {crypto} random pem pkcs1 x509 pubkey
  socket = unix://{vici}
}}
"""


def settings() -> str:
    """For `strongswan.conf`: logs go to standard error, and who cannot load connections ends."""
    return _SETTINGS.format(vici=VICI, swanctl=f"{PROGRAMS}/swanctl") + swanctl_settings()


def swanctl_settings() -> str:
    """For `strongswan.conf`: swanctl has the plugins that it needs, and misses no others."""
    return _SWANCTL.format(vici=VICI, crypto=crypto())


def crypto() -> str:
    """The plugins for cryptography: strongSwan's own, which load fast. Debian 13 has OpenSSL's."""
    own = any(Path(folder, "plugins/libstrongswan-gmp.so").exists() for folder in FOLDERS)
    return "aes sha1 sha2 hmac kdf gmp" if own else "openssl"


def furnish(*programs: str) -> tuple[Argv, ...]:
    """The commands that put programs where no profile knows them, and folders where swanctl looks.

    It complains about each one that is not there.
    """
    folders = (f"{FOLDER}/{name}" for name in _FOLDERS)
    return ("install", "-D", "-t", PROGRAMS, *programs), ("mkdir", "-p", *folders)


def daemon(name: str, path: str) -> Daemon:
    """A daemon. It is ready when it has its connections."""
    return Daemon(name, (*_ENVIRONMENT, path), line=_LOADED)
