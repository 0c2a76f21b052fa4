# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_cfgtool: one description of the policies in, a file for the TKM and one for IKE out."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tkm import VERSION
from tkm.config import conf, swanctl, xml
from tkm.errors import ConfigError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tkm_cfgtool",
        description="Write the configuration of the Trusted Key Manager and of the IKE daemon.",
    )
    parser.add_argument(
        "-c", dest="config", metavar="CONFIG.XML", type=Path, required=True,
        help="identities and policies",
    )  # fmt: skip
    parser.add_argument(
        "-i", dest="ike", metavar="SWANCTL.CONF", type=Path, required=True,
        help="to write, for the IKE daemon",
    )  # fmt: skip
    parser.add_argument(
        "-t", dest="tkm", metavar="TKM.CONF", type=Path, required=True,
        help="to write, for tkm_keymanager",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 written, 1 the configuration is not valid, 2 wrong use."""
    arguments = _parser().parse_args(argv)
    try:
        config = xml.read(arguments.config.read_bytes())
        arguments.ike.write_text(swanctl.render(config))
        arguments.tkm.write_text(conf.render(config))
    except ConfigError as error:
        print(f"tkm_cfgtool: {arguments.config}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"tkm_cfgtool: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
