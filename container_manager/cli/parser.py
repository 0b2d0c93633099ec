"""The command line's grammar, its help and its examples."""

import argparse
from collections.abc import Sequence

from .. import __version__
from .serve import serve


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """`arguments` as a namespace whose `run` is the command's function. No arguments mean `serve`."""
    parser = argparse.ArgumentParser(prog="container-manager")
    parser.add_argument("--version", action="version", version=f"container-manager {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser("serve").set_defaults(run=lambda _: serve())
    parser.set_defaults(run=lambda _: serve())
    return parser.parse_args(arguments)
