# SPDX-License-Identifier: Apache-2.0
"""normalize, packing, PyDataset, Progbar, model_to_dot."""

from __future__ import annotations

import io
import itertools
import sys

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn import utils
from fastrnn.layers import LSTM, Dense


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_normalize(rng, shape, order):
    x = rng.standard_normal(shape)
    x[0] = 0
    np.testing.assert_allclose(utils.normalize(x, order=order), keras.utils.normalize(x, order=order), rtol=1e-12)
    for axis in range(len(shape)):      # Keras puts the lengths of the first axis along another one
        lengths = np.linalg.norm(utils.normalize(x, axis, order).reshape(shape), order, axis)
        np.testing.assert_allclose(lengths, np.linalg.norm(x, order, axis) > 0, rtol=1e-12)
    assert utils.normalize([[3, 4]]).tolist() == [[0.6, 0.8]]


def test_packing():
    for item in ([1, 2], (1, 2, 3), (1,), 5, [1]):
        assert utils.unpack_x_y_sample_weight(item) == keras.utils.unpack_x_y_sample_weight(item)
    for parts in ((1,), (1, 2), (1, 2, 3), ([1],), ((1, 2),)):
        assert utils.pack_x_y_sample_weight(*parts) == keras.utils.pack_x_y_sample_weight(*parts)
    with pytest.raises(ValueError, match="unpack_x_y_sample_weight: .*got 4 items"):
        utils.unpack_x_y_sample_weight((1, 2, 3, 4))


class Squares(utils.PyDataset):
    def __init__(self, count, **kwargs):
        self.count = count
        super().__init__(**kwargs)

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return np.full((4, 2), index, "float32"), np.full((4, 1), index**2)


def test_py_dataset():
    assert utils.Sequence is utils.PyDataset
    data = Squares(3, workers=4, use_multiprocessing=True, max_queue_size=2)
    assert (data.workers, data.use_multiprocessing, data.max_queue_size, data.num_batches) == (4, True, 2, 3)
    assert [int(y[0, 0]) for _, y in data] == [0, 1, 4]

    class Endless(utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return index

    assert list(itertools.islice(Endless(), 4)) == [0, 1, 2, 3]

    class NoEnd(utils.PyDataset):
        def __init__(self):
            pass

    with pytest.raises(NotImplementedError, match="NoEnd must define __len__, or the property num_batches"):
        list(NoEnd())
    with pytest.raises(NotImplementedError, match=r"NoEnd must define __getitem__\(index\)"):
        NoEnd()[0]
    assert NoEnd().workers == 1


def test_py_dataset_trains_as_in_keras():
    """In order; and the weights and history are Keras's."""
    class Theirs(keras.utils.PyDataset):
        __len__, __getitem__ = Squares.__len__, Squares.__getitem__

        def __init__(self, count):
            super().__init__()
            self.count = count

    histories, weights = [], None
    for package, source in ((fastrnn, Squares(5)), (keras, Theirs(5))):
        model = package.Sequential([package.Input((2,)), package.layers.Dense(1)])
        weights = model.get_weights() if weights is None else weights
        model.set_weights(weights)
        model.compile(package.optimizers.SGD(0.01), "mse")
        histories.append(model.fit(source, epochs=3, shuffle=False, verbose=0, class_weight={0: 1.0},
                                   validation_data=source, validation_steps=2).history)
        weights_after = model.get_weights()
        last = weights_after if package is fastrnn else last  # noqa: F821
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(histories[0][name], histories[1][name], rtol=1e-5)
    np.testing.assert_allclose(last[0], weights_after[0], rtol=1e-5)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class TestProgbar:
    def test_a_bar_on_a_terminal(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", Terminal())
        bar = utils.Progbar(4, width=8, interval=0)
        bar.update(1, [("loss", 4.0), ("count", 1.0)])
        bar.add(1, [("loss", 2.0)])
        half = sys.stdout.getvalue().split("\r")[-1].rstrip()
        assert half.startswith("2/4 ━━━━──── ") and half.endswith("loss: 3.0000 - count: 1.0000")
        bar.update(4, [("loss", 0.0)])
        lines = sys.stdout.getvalue().split("\r")
        assert len(lines) == 4 and lines[-1].startswith("4/4 ━━━━━━━━ ") and lines[-1].endswith("\n")
        assert "loss: 1.5000" in lines[-1]

    def test_one_line_elsewhere(self, capsys):
        for verbose in (0, 1, 2):
            bar = utils.Progbar(3, verbose=verbose, interval=0, stateful_metrics=["last"], unit_name="file")
            for value in (1.0, 2.0, 3.0):
                bar.add(1, [("mean", value), ("last", value)])
            out = capsys.readouterr().out
            assert out.count("\n") == bool(verbose)
            assert not verbose or (out.startswith("3/3 - ") and "/file - mean: 2.0000 - last: 3.0000" in out)

    def test_stateless_metrics(self, capsys):
        bar = utils.Progbar(2, stateless_metrics=["mean"], interval=0)
        bar.add(1, [("mean", 1), ("last", 1)])
        bar.add(1, [("mean", 2), ("last", np.array(2.0))])
        assert "mean: 1.5000 - last: 2.0000" in capsys.readouterr().out
        with pytest.raises(ValueError, match="expected stateful_metrics or stateless_metrics, got both"):
            utils.Progbar(2, stateful_metrics=[], stateless_metrics=[])

    def test_an_unknown_target(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", Terminal())
        bar = utils.Progbar(None, interval=0)
        bar.add(10, [("loss", 1.0)])
        bar.update(20, finalize=True)
        assert sys.stdout.getvalue().split("\r")[-1].startswith("20/Unknown ")


def test_model_to_dot(tmp_path):
    model = fastrnn.Sequential([fastrnn.Input((None, 3)), LSTM(4, name="cells"), Dense(1)])
    dot = utils.model_to_dot(model, show_shapes=True, rankdir="LR")
    text = dot.to_string()
    assert str(dot) == text and "rankdir=LR" in text and "cells (LSTM)" in text and "(None, 4)" in text
    utils.plot_model(model, tmp_path / "model.dot", show_shapes=True, show_layer_names=True, rankdir="LR")
    assert (tmp_path / "model.dot").read_text() == text
    dot.write(tmp_path / "raw.dot")
    assert (tmp_path / "raw.dot").read_text() == text
    with pytest.raises(ValueError, match="model_to_dot rankdir: expected 'TB' or 'LR', got 'X'"):
        utils.model_to_dot(model, rankdir="X")
    with pytest.raises(ValueError, match="subgraph is not supported"):
        utils.model_to_dot(model, subgraph=True)
