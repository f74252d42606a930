# SPDX-License-Identifier: Apache-2.0
"""The command line: ``python -m fastrnn`` prints what this installation runs on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fastrnn._version import __version__
from fastrnn.runtime import show_config


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` names (those of the process if None); without one, ``config``."""
    parser = argparse.ArgumentParser(prog="python -m fastrnn", description="Recurrent networks on CPUs.")
    parser.add_argument("--version", action="version", version=f"fastrnn {__version__}")
    parser.set_defaults(run=_config)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    config = commands.add_parser("config", help="version, processor, instruction sets, threads and BLAS (the default)")
    config.set_defaults(run=_config)
    options = parser.parse_args(arguments)
    options.run(options)


def _config(options: argparse.Namespace) -> None:
    show_config()


if __name__ == "__main__":
    main()
