# SPDX-License-Identifier: Apache-2.0
"""TensorBoard's files, read back by the tensorboard package, and their names beside those of Keras's callback."""

from __future__ import annotations

import os

import numpy as np
import pytest

import fastrnn
from fastrnn.callbacks import TensorBoard
from fastrnn.callbacks.events import EventFile, checksum

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
tensor_util = pytest.importorskip("tensorboard.util.tensor_util")
EVERYTHING = {"tensors": 0}


def read(folder):
    """By tag the (step, value) of each event. tensorboard checks each record's sums as it reads it."""
    events = event_accumulator.EventAccumulator(str(folder), EVERYTHING).Reload()
    return {tag: [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
            for tag in events.Tags()["tensors"]}


def plugins(folder):
    events = event_accumulator.EventAccumulator(str(folder), EVERYTHING).Reload()
    return {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in events.Tags()["tensors"]}


def model_and_data(library=fastrnn):
    model = library.Sequential([library.Input((4,)), library.layers.Embedding(9, 3, name="words"),
                                library.layers.LSTM(2), library.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    rng = np.random.default_rng(0)
    return model, rng.integers(0, 9, (12, 4)), rng.standard_normal((12, 1))


def train(callback, library=fastrnn, epochs=3):
    model, x, y = model_and_data(library)
    history = model.fit(x, y, batch_size=4, epochs=epochs, verbose=0, callbacks=[callback], validation_data=(x, y))
    return model, history.history


def test_scalars_of_epochs(tmp_path):
    model, history = train(TensorBoard(tmp_path))
    training, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert set(training) == {"keras", "epoch_loss", "epoch_mae", "epoch_learning_rate"}
    assert set(validation) == {"epoch_loss", "epoch_mae", "evaluation_loss_vs_iterations",
                               "evaluation_mae_vs_iterations"}
    for name in "loss", "mae":
        for found, values in (training[f"epoch_{name}"], history[name]), (validation[f"epoch_{name}"],
                                                                         history[f"val_{name}"]):
            assert [step for step, _ in found] == [0, 1, 2]
            np.testing.assert_allclose([value for _, value in found], values, rtol=1e-6)
    assert [step for step, _ in validation["evaluation_loss_vs_iterations"]] == [3, 6, 9]
    assert training["keras"][0][1].item().decode() == model.to_json()
    assert plugins(tmp_path / "train")["epoch_loss"] == "scalars"


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", range(1, 10)), (2, [2, 4, 6, 8])])
def test_scalars_of_batches(update_freq, steps, tmp_path):
    train(TensorBoard(tmp_path, update_freq=update_freq, write_steps_per_second=True))
    training = read(tmp_path / "train")
    for tag in "batch_loss", "batch_mae", "batch_steps_per_second":
        assert [step for step, _ in training[tag]] == list(steps)
        assert all(np.isfinite(value) and value > 0 for _, value in training[tag])
    assert len(training["epoch_steps_per_second"]) == 3


def test_weights(tmp_path):
    model, _ = train(TensorBoard(tmp_path, histogram_freq=2, write_images=True))
    training, kinds = read(tmp_path / "train"), plugins(tmp_path / "train")
    for weight in model.weights:
        found = training[f"{weight.path}/histogram"]
        assert [step for step, _ in found] == [0, 2]
        last = found[-1][1]
        assert last.shape == (30, 3) and last[:, 2].sum() == weight.data.size
        around = 0.5 if weight.data.size == 1 else 0    # a width for a single value
        ends = [weight.data.min() - around, weight.data.max() + around]
        np.testing.assert_allclose([last[0, 0], last[-1, 1]], ends, rtol=1e-6)
        assert kinds[f"{weight.path}/histogram"] == "histograms" and kinds[f"{weight.path}/image"] == "images"
    width, height, png = training["words/embeddings/image"][-1][1]
    assert (int(width), int(height)) == (9, 3) and png.startswith(b"\x89PNG")


def test_pictures_are_read_by_others(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    file, shades = EventFile(str(tmp_path)), np.linspace(0, 1, 12).reshape(3, 4)
    file.image("picture", shades, 1)
    file.close()
    (_, (_, _, png)), = read(tmp_path)["picture"]
    (tmp_path / "picture.png").write_bytes(png)
    np.testing.assert_allclose(image.imread(tmp_path / "picture.png"), shades, atol=0.5 / 255)


def test_histograms_of_odd_values(tmp_path):
    file = EventFile(str(tmp_path))
    for step, values in enumerate(([2.0, 2.0, 2.0], [np.nan, np.inf, 1.0, 3.0], [], 7.0)):
        file.histogram("odd", np.array(values), step)
    file.close()
    assert [value[:, 2].sum() for _, value in read(tmp_path)["odd"]] == [3, 2, 0, 1]


def test_a_broken_record_is_noticed(tmp_path):
    """The sums mean something: a byte that differs is an error for the reader, which ends there."""
    file = EventFile(str(tmp_path))
    file.scalar("first", 1.0, 0)
    file.scalar("second", 2.0, 0)
    file.close()
    path, = tmp_path.glob("*tfevents*")
    data = bytearray(path.read_bytes())
    data[data.index(b"second")] ^= 1
    path.write_bytes(data)
    assert set(read(tmp_path)) == {"first"}
    assert checksum(b"") == (0xA282EAD8).to_bytes(4, "little")


def test_projector(tmp_path):
    train(TensorBoard(tmp_path, embeddings_freq=2, embeddings_metadata={"words": "words.tsv"}))
    assert 'metadata_path: "words.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    assert {f"keras_embedding.ckpt-{epoch}.weights.h5" for epoch in (0, 2)} < set(os.listdir(tmp_path / "train"))
    with pytest.raises(ValueError, match=r"expected names of Embedding layers, got \['letters'\]"):
        train(TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"letters": "l.tsv"}))


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match="TensorBoard update_freq: expected 'epoch', 'batch' or a number of batches"):
        TensorBoard(tmp_path, update_freq="week")
    with pytest.warns(UserWarning, match="profile_batch has no effect"):
        TensorBoard(tmp_path, profile_batch=(2, 4))
    assert not TensorBoard(tmp_path)._train._file and not os.listdir(tmp_path)
