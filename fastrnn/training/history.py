# SPDX-License-Identifier: Apache-2.0
"""The picture of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3


def plot_history(history: Mapping[str, Sequence[float]], epochs: Mapping[str, Sequence[int]],
                 metrics: Sequence[str] | str | None = None) -> Figure:
    """Draw the loss and the metrics of a run over its epochs, a panel each.

    The figure belongs to no window and to no pyplot state: it can be made without a screen, and in any thread.

    Args:
        history: values by name; those of the validation begin with `val_`.
        epochs: by the same names the index, from 0, of the epoch each value belongs to.
        metrics: names of the panels to draw, in this order; None draws all, the loss first.

    Returns:
        A matplotlib `Figure`.

    Raises:
        ImportError: matplotlib is missing.
        ValueError: `history` is empty, or a name in `metrics` is not in it.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        raise ImportError("History.plot needs matplotlib: pip install fastrnn[plot]") from error
    panels = _panels(history, metrics)
    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.8 * columns, 3.6 * rows), layout="constrained")
    for index, name in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in history:
                values = list(history[key])
                at = [epoch + 1 for epoch in epochs.get(key, range(len(values)))]
                axes.plot(at, values, label=label, marker="o" if len(values) <= 20 else None, markersize=3)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(True, alpha=0.3)
        axes.legend()
    return figure


def _panels(history: Mapping[str, Sequence[float]], metrics: Sequence[str] | str | None) -> list[str]:
    """The names of the panels, without `val_`."""
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    if not names:
        raise ValueError("History.plot: there is nothing to draw, no epoch has been recorded")
    if metrics is None:
        return sorted(names, key=lambda name: name != "loss")
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in wanted:
        if name.removeprefix("val_") not in names:
            raise ValueError(f"History.plot: no metric {name!r} was recorded; there are: {', '.join(names)}")
    if not wanted:
        raise ValueError("History.plot: metrics is empty; pass None to draw all")
    return list(dict.fromkeys(name.removeprefix("val_") for name in wanted))
