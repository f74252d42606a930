# SPDX-License-Identifier: Apache-2.0
"""The picture of a training run."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastrnn.callbacks import History


def history(epochs: int = 3, start: int = 0, **values: float) -> History:
    found = History()
    found.on_train_begin()
    for epoch in range(start, start + epochs):
        found.on_epoch_end(epoch, {name: value / (epoch + 1) for name, value in values.items()})
    return found


def test_a_panel_for_the_loss_and_one_for_each_metric():
    figure = history(accuracy=0.5, loss=2, val_accuracy=0.4, val_loss=3).plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    for axes in figure.axes:
        assert axes.get_xlabel() == "epoch"
        assert axes.get_ylabel() == axes.get_title()
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]
        assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.lines)
    training, validation = figure.axes[0].lines
    assert list(training.get_ydata()) == [2, 1, 2 / 3]
    assert list(validation.get_ydata()) == [3, 1.5, 1]


@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 50])
def test_ticks_at_whole_epochs_only(epochs, tmp_path):
    figure = history(epochs, loss=2).plot()
    figure.savefig(tmp_path / "run.png")
    ticks = list(figure.axes[0].get_xticks())
    assert all(tick == round(tick) for tick in ticks)
    assert (tmp_path / "run.png").stat().st_size > 5000


def test_chosen_metrics_in_the_order_asked_for():
    found = history(loss=1, accuracy=1, mae=1, val_mae=1)
    assert [axes.get_title() for axes in found.plot(["mae", "loss"]).axes] == ["mae", "loss"]
    assert [axes.get_title() for axes in found.plot("val_mae").axes] == ["mae"]
    with pytest.raises(ValueError, match="no metric 'auc' was recorded; there are: loss, accuracy, mae"):
        found.plot(["auc"])
    with pytest.raises(ValueError, match="empty"):
        found.plot([])


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        History().plot()


def test_validation_now_and_then_is_drawn_at_its_epochs():
    found = History()
    for epoch in range(4):
        found.on_epoch_end(epoch, {"loss": 1.0} | ({"val_loss": 2.0} if epoch % 2 else {}))
    assert list(found.plot().axes[0].lines[1].get_xdata()) == [2, 4]


def test_a_run_that_was_continued():
    assert list(history(2, start=5, loss=1).plot().axes[0].lines[0].get_xdata()) == [6, 7]


def test_without_pyplot():
    """No window system and no global figure is touched."""
    program = ("import sys; from fastrnn.callbacks import History; h = History(); h.on_epoch_end(0, {'loss': 1.0});"
               "f = h.plot(); import io; f.savefig(io.BytesIO()); assert 'matplotlib.pyplot' not in sys.modules")
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install fastrnn\[plot\]"):
        history(loss=1).plot()
