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
{section} {{
  retransmit_timeout = 0.4
  retransmit_base = 1.8
  retransmit_tries = 9
  plugins {{
{plugins}  }}
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
{more}}}
"""
_SWANCTL = """swanctl {{
  load = {crypto} random pem pkcs1 x509 pubkey
  socket = unix://{vici}
}}
"""


def settings(section: str, more: str, modular: str = "") -> str:
    """For `strongswan.conf`: logs go to standard error, and who cannot load connections ends.

    A request is repeated after 0.4 s, 0.72 s and so on, and given up after 178 s. By default it is
    4 s and 165 s: as the initiator charon loses about one first response in thirty of a responder
    that answers within a millisecond, before it has filed its new IKE SA.

    Args:
        section: where the daemon looks for them. charon-tkm 5.9.1 reads its own section alone.
        more: settings of the daemon's own.
        modular: the plugins that `load_modular` loads.
    """
    names = modular.split() or ["vici"]
    plugins = "".join(_plugin(name, is_loaded=bool(modular)) for name in names)
    program = f"{PROGRAMS}/swanctl"
    text = _SETTINGS.format(section=section, plugins=plugins, swanctl=program, more=more)
    return text + swanctl_settings()


def _plugin(name: str, *, is_loaded: bool) -> str:
    load = "      load = yes\n" if is_loaded else ""
    socket = f"      socket = unix://{VICI}\n" if name == "vici" else ""
    return f"    {name} {{\n{load}{socket}    }}\n"


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
