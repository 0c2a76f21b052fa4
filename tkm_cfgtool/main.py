# SPDX-License-Identifier: GPL-2.0-or-later
"""tkm_cfgtool: one description of the policies in, a file for the TKM and one for IKE out."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tkm import VERSION
from tkm.config import conf, files
from tkm.config.policy import Config, check_generation_1, warnings
from tkm.errors import ConfigError
from tkm_cfgtool import ipsec, swanctl, xml

_FORMATS = ("swanctl", "ipsec")


class _Example(argparse.Action):
    """Print the example; nothing else is needed then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import resources  # nobody else needs it

        print(resources.files("tkm_cfgtool").joinpath("example.xml").read_text("utf-8"), end="")
        parser.exit()


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
        "-i", dest="ike", metavar="IKE.CONF", type=Path, required=True,
        help="to write, for the IKE daemon",
    )  # fmt: skip
    parser.add_argument(
        "-t", dest="tkm", metavar="TKM.CONF", type=Path, required=True,
        help="to write, for tkm_keymanager",
    )  # fmt: skip
    parser.add_argument(
        "-s", dest="schema", metavar="SCHEMA.XSD",
        help="taken for the original's sake: the schema is built in",
    )  # fmt: skip
    parser.add_argument("-v", dest="verbose", action="store_true", help="say what is written")
    parser.add_argument(
        "--format", choices=_FORMATS, default="swanctl",
        help="of IKE.CONF: swanctl.conf, or the older ipsec.conf (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--rpc", type=int, choices=(1, 2), default=2,
        help="as tkm_keymanager's; 1, for charon-tkm, has no extended sequence numbers (2)",
    )  # fmt: skip
    parser.add_argument(
        "--example", action=_Example, nargs=0,
        help="print a CONFIG.XML that says what there is, and exit",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 written, 1 the configuration is not valid, 2 wrong use."""
    arguments = _parser().parse_args(argv)
    try:
        config = xml.read(files.read_bounded(arguments.config))
        if arguments.rpc == 1:
            check_generation_1(config)
        for doubt in warnings(config):
            print(f"tkm_cfgtool: {arguments.config}: warning: {doubt}", file=sys.stderr)
        written = {
            arguments.ike: _for_ike(config, arguments),
            arguments.tkm: conf.render(config),
        }
        for file, text in written.items():
            file.write_text(text, encoding="utf-8")
            if arguments.verbose:
                print(f"{file}: {len(config.policies)} policies")
    except ConfigError as error:
        print(f"tkm_cfgtool: {arguments.config}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"tkm_cfgtool: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _for_ike(config: Config, arguments: argparse.Namespace) -> str:
    """The IKE daemon's file; only charon-tkm still reads the older format."""
    if arguments.format == "ipsec":
        return ipsec.render(config)
    return swanctl.render(config, esn=arguments.rpc == 2)


if __name__ == "__main__":
    sys.exit(main())
