# SPDX-License-Identifier: Apache-2.0
"""The command line, ``fastrnn`` or ``python -m fastrnn``: what this installation runs on, what model files hold,
how fast they run, and a web service of one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace

from fastrnn._version import __version__
from fastrnn.runtime import show_config
from fastrnn.saving.conversion import convert
from fastrnn.saving.frozen_file import open_frozen
from fastrnn.saving.inspection import inspect
from fastrnn.serving.bench import bench
from fastrnn.serving.service import Settings, serve

_PIPE_CLOSED = 128 + 13     # what a shell reports of a program that SIGPIPE ended


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` names (those of the process if None); without one, ``config``."""
    parser = argparse.ArgumentParser(prog="fastrnn", description="Recurrent networks on CPUs.")
    parser.add_argument("--version", action="version", version=f"fastrnn {__version__}")
    parser.set_defaults(run=_config)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    config = commands.add_parser("config", help="version, processor, instruction sets, threads and BLAS (the default)")
    config.set_defaults(run=_config)
    inspection = commands.add_parser("inspect", help="the layers, shapes and sizes in a model file; builds nothing")
    inspection.add_argument("file", help="a .safetensors, .keras, .h5, .weights.h5 or .onnx file, or one of "
                                           "PyTorch's of any name: .pt, .pth, .ckpt")
    inspection.set_defaults(run=_inspect)
    conversion = commands.add_parser("convert", help="save a model file in another format, and compare the results")
    conversion.add_argument("source", metavar="IN", help="a .safetensors, .keras or .h5 file; of PyTorch's "
                                                          "state dicts a file of any name: .pt, .pth, .ckpt")
    conversion.add_argument("target", metavar="OUT", help="its suffix is the format: .safetensors, .keras or "
                                                          ".onnx; .weights.h5 and .h5 take the weights alone")
    conversion.add_argument("--prefix", metavar="NAME", help="of a state dict, the module that is wanted: encoder.lstm")
    conversion.add_argument("--key", metavar="KEY", help="of a checkpoint, that of the state dict: model_state_dict")
    conversion.set_defaults(run=_convert)
    timing = commands.add_parser("bench", help="how long calls of a frozen model take, by the number of threads")
    model_file = "a .safetensors file, of a frozen model too, or a .keras or .h5 file"
    timing.add_argument("file", help=model_file)
    timing.add_argument("--batch", type=int, default=32, help="sequences of a batch (%(default)s)")
    timing.add_argument("--steps", type=int, default=100, help="time steps, where the model takes any (%(default)s)")
    timing.add_argument("--threads", type=int, nargs="+", metavar="N", help="numbers of threads (1, 2, 4 and so on, up "
                                                                            "to all)")
    timing.add_argument("--seconds", type=float, default=1.0, help="for each row of the table (%(default)s)")
    timing.set_defaults(run=_bench)
    service = commands.add_parser("serve", help="a web service of a frozen model, over HTTP and WebSocket",
                                  epilog="A variable of the environment has the default of each number: "
                                         "FASTRNN_SERVE_WINDOW_US=0.")
    service.add_argument("file", help=model_file)
    service.add_argument("--host", default="127.0.0.1", help="address to listen at (%(default)s)")
    service.add_argument("--port", type=int, default=8000, help="0: any that is free (%(default)s)")
    for one in fields(Settings):
        service.add_argument(f"--{one.name.replace('_', '-')}", type=type(one.default), metavar="N",
                             help=f"{one.metadata['help']} ({one.default})")
    service.set_defaults(run=_serve)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:     # the reader has what it wanted: `fastrnn inspect FILE | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes at its end
        sys.exit(_PIPE_CLOSED)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"fastrnn: {error}")


def _config(options: argparse.Namespace) -> None:
    show_config()


def _inspect(options: argparse.Namespace) -> None:
    print(inspect(options.file))


def _convert(options: argparse.Namespace) -> None:
    parity = convert(options.source, options.target, options.prefix, options.key)
    print(f"{options.source} -> {options.target}\n{parity or 'nothing is compared: C takes a compiler'}")
    if parity is not None and not parity.holds:
        sys.exit("fastrnn: the two models give different results")


def _bench(options: argparse.Namespace) -> None:
    print(bench(open_frozen(options.file), options.batch, options.steps, options.threads, options.seconds))


def _serve(options: argparse.Namespace) -> None:
    given = {one.name: getattr(options, one.name) for one in fields(Settings) if getattr(options, one.name) is not None}
    serve(open_frozen(options.file), replace(Settings.from_environment(), **given), options.host, options.port)


if __name__ == "__main__":
    main()
