# SPDX-License-Identifier: Apache-2.0
"""The picture of a model: boxes for its layers, arrows for what they read."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

from fastrnn.graph.graph import Graph, reads
from fastrnn.graph.symbol import Symbol
from fastrnn.models.layout import lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colors of a box: its edge, its head, its body.
_EDGE, _HEAD, _BODY = "#33415c", "#dbe4f3", "#ffffff"


class Box(NamedTuple):
    """What is written of a call of a layer."""

    lines: tuple[str, ...]              # the first is the head


def plot_model(model: Any, to_file: Any = "model.png", show_shapes: bool = False, show_dtype: bool = False,
               show_layer_names: bool = False, rankdir: str = "TB", expand_nested: bool = False, dpi: int = 200,
               show_layer_activations: bool = False, show_trainable: bool = False) -> None:
    """Draw a model into a file: by Graphviz's `dot` where it is installed, else by matplotlib.

    Args:
        model: a built `Model` or `Sequential`.
        to_file: path of the picture; its suffix says the format: .png, .svg, .pdf; .dot for Graphviz's text.
        show_shapes, show_dtype, show_layer_names, show_layer_activations, show_trainable: what boxes say beside the
            class of the layer.
        rankdir: "TB" from top to bottom, "LR" from left to right.
        expand_nested: draw the layers of models inside, too.
        dpi: dots an inch.

    Raises:
        ValueError: the model is not built, or `rankdir` is another.
        ImportError: neither `dot` nor matplotlib is there.

    Example:

    >>> import fastrnn, tempfile, os
    >>> x = fastrnn.Input((None, 3))
    >>> model = fastrnn.Model(x, fastrnn.layers.LSTM(4)(x))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_model(model, os.path.join(folder, "model.dot"))
    ...     os.listdir(folder)
    ['model.dot']
    """
    boxes, arrows = _boxes(model, "plot_model", show_shapes, show_dtype, show_layer_names, rankdir, expand_nested,
                           show_layer_activations, show_trainable)
    path = os.fspath(to_file)
    if path.endswith(".dot"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(_dot(boxes, arrows, rankdir, dpi))
    elif shutil.which("dot"):
        Dot(_dot(boxes, arrows, rankdir, dpi)).write(path, format=os.path.splitext(path)[1][1:] or "png")
    else:
        _draw(boxes, arrows, rankdir, dpi, path)


class Dot:
    """A picture in the words of Graphviz's program `dot`; notebooks show it, where that is installed.

    Args:
        text: in these words.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def to_string(self) -> str:
        """The text."""
        return self._text

    __str__ = to_string

    def create(self, prog: str = "dot", format: str = "png") -> bytes:
        """The picture, made by one of Graphviz's programs."""
        return subprocess.run([prog, f"-T{format}"], check=True, input=self._text.encode(), capture_output=True).stdout

    def write(self, path: Any, prog: str = "dot", format: str = "raw") -> None:
        """Write the picture to a file; the text itself if `format` is "raw"."""
        content = self._text.encode() if format == "raw" else self.create(prog, format)
        with open(path, "wb") as file:
            file.write(content)

    def _repr_svg_(self) -> str | None:
        return self.create(format="svg").decode() if shutil.which("dot") else None


def model_to_dot(model: Any, show_shapes: bool = False, show_dtype: bool = False, show_layer_names: bool = True,
                 rankdir: str = "TB", expand_nested: bool = False, dpi: int = 200, subgraph: bool = False,
                 show_layer_activations: bool = False, show_trainable: bool = False) -> Dot:
    """The picture of a model in the words of Graphviz's program `dot`.

    Args:
        model, show_shapes, show_dtype, show_layer_names, rankdir, expand_nested, dpi, show_layer_activations,
            show_trainable: as in `plot_model`.
        subgraph: not supported.

    Returns:
        A `Dot`, whose `to_string()` is the text, and `create(format="svg")` the picture.

    Raises:
        ValueError: the model is not built, `rankdir` is another, or `subgraph` is True.

    Example:

    >>> import fastrnn
    >>> x = fastrnn.Input((None, 3))
    >>> model_to_dot(fastrnn.Model(x, fastrnn.layers.LSTM(4)(x))).to_string()[:27]
    'digraph model { rankdir=TB;'
    """
    if subgraph:
        raise ValueError("model_to_dot: subgraph is not supported; draw the model by itself")
    boxes, arrows = _boxes(model, "model_to_dot", show_shapes, show_dtype, show_layer_names, rankdir, expand_nested,
                           show_layer_activations, show_trainable)
    return Dot(_dot(boxes, arrows, rankdir, dpi))


def _boxes(model: Any, who: str, show_shapes: bool, show_dtype: bool, show_layer_names: bool, rankdir: str,
           expand_nested: bool, show_layer_activations: bool, show_trainable: bool
           ) -> tuple[list[Box], list[tuple[int, int]]]:
    """The boxes of a model, and the arrows between them by their numbers."""
    if rankdir not in ("TB", "LR"):
        raise ValueError(f"{who} rankdir: expected 'TB' or 'LR', got {rankdir!r}")

    def box(layer: Any, shapes: list[Any], dtypes: list[str]) -> Box:
        lines = [f"{layer.name} ({type(layer).__name__})" if show_layer_names else type(layer).__name__]
        activation = getattr(layer, "activation", None)
        if show_layer_activations and activation is not None:
            lines.append(f"activation: {activation.name}")
        if show_shapes:
            lines.append("output: " + ", ".join(str(shape) for shape in shapes))
        if show_dtype:
            lines.append("dtype: " + ", ".join(dict.fromkeys(dtypes)))
        if show_trainable and layer.weights:
            lines.append(f"trainable: {layer.trainable}")
        return Box(tuple(lines))

    boxes: list[Box] = []
    arrows: list[tuple[int, int]] = []
    _collect(model.graph, {}, boxes, arrows, box, expand_nested)
    return boxes, arrows


def _collect(graph: Graph, made: dict[int, int], boxes: list[Box], arrows: list[tuple[int, int]], box: Any,
             expand: bool) -> None:
    """The boxes of a graph's nodes, and the arrows between them; `made` has the box that gives each symbol."""
    for symbol in graph.inputs:
        if id(symbol) not in made:
            made[id(symbol)] = len(boxes)
            boxes.append(box(symbol.node.layer, [symbol.shape], [symbol.dtype]))
    for node in graph.nodes:
        inner = node.layer.unrolled() if expand else None
        if inner is not None:
            made.update((id(own), made[id(given)]) for own, given in zip(inner.inputs, node.inputs))
            _collect(inner, made, boxes, arrows, box, expand)
            made.update((id(own), made[id(last)]) for own, last in zip(node.outputs, inner.outputs))
            continue
        number = len(boxes)
        boxes.append(box(node.layer, [s.shape for s in node.outputs], [s.dtype for s in node.outputs]))
        sources: list[Symbol] = reads(node)
        arrows += dict.fromkeys((made[id(symbol)], number) for symbol in sources)
        made.update((id(symbol), number) for symbol in node.outputs)


def _dot(boxes: list[Box], arrows: list[tuple[int, int]], rankdir: str, dpi: int) -> str:
    """The picture in Graphviz's words."""
    def quoted(text: str) -> str:
        return "".join(f"\\{letter}" if letter in '\\"{}|<>' else letter for letter in text)

    lines = [f"digraph model {{ rankdir={rankdir}; dpi={dpi}; node [shape=record fontname=Helvetica fontsize=10];"]
    for number, box in enumerate(boxes):
        label = "|".join(map(quoted, box.lines))
        lines.append(f'  {number} [label="{label if rankdir == "LR" else "{" + label + "}"}"];')
    return "\n".join([*lines, *(f"  {one} -> {other};" for one, other in arrows), "}"]) + "\n"


def _draw(boxes: list[Box], arrows: list[tuple[int, int]], rankdir: str, dpi: int, path: str) -> None:
    """The picture by matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plot_model needs Graphviz's program dot or matplotlib; install one of them, or write "
                          "to_file='model.dot'") from None
    sizes = [(0.085 * max(map(len, box.lines)) + 0.3, 0.22 * len(box.lines) + 0.12) for box in boxes]
    layout = lay_out(sizes, arrows, across=rankdir == "LR")
    figure = Figure(figsize=(layout.width, layout.height), dpi=dpi)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    axes.axis("off")
    for route in layout.routes:
        _arrow(axes, route, rankdir)
    for box, (x, y), (width, height) in zip(boxes, layout.centers, sizes):
        _box(axes, box, x, y, width, height)
    figure.savefig(path)


def _box(axes: Axes, box: Box, x: float, y: float, width: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    line = height / len(box.lines)
    for number, text in enumerate(box.lines):
        top = y - height / 2 + number * line
        axes.add_patch(Rectangle((x - width / 2, top), width, line, facecolor=_BODY if number else _HEAD,
                                 edgecolor=_EDGE, linewidth=0.8))
        axes.text(x, top + line / 2, text, ha="center", va="center", fontsize=8, color="#1b2438",
                  family="DejaVu Sans", weight="normal" if number else "bold")


def _arrow(axes: Axes, route: list[tuple[float, float]], rankdir: str) -> None:
    """A smooth line through the points of a route, from box to box."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    points, codes = [route[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in itertools.pairwise(route):
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        points += ([(x0, middle[1]), (x1, middle[1]), (x1, y1)] if rankdir == "TB"
                   else [(middle[0], y0), (middle[0], y1), (x1, y1)])
        codes += [Path.CURVE4] * 3
    axes.add_patch(FancyArrowPatch(path=Path(points, codes), arrowstyle="-|>", mutation_scale=8, linewidth=0.9,
                                   color=_EDGE, shrinkA=0, shrinkB=0, zorder=0))

