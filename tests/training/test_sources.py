# SPDX-License-Identifier: Apache-2.0
"""What models take batches from: generators, sequences, TensorFlow's and PyTorch's; arrays of every library."""

from __future__ import annotations

import itertools

import dask.array
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

import fastrnn
from fastrnn.layers import LSTM, Concatenate, Dense, Input
from fastrnn.training.blocks import Blocks
from fastrnn.utils import Dataset, PyDataset

rng = np.random.default_rng(0)
N, SIZE = 12, 4
x = rng.standard_normal((N, 5, 3)).astype("float32")
extra = rng.standard_normal((N, 2)).astype("float32")
y = rng.standard_normal((N, 5, 1)).astype("float32")
weight = rng.random((N, 5)).astype("float32")


def model(package=fastrnn):
    made = package.Sequential([package.Input((5, 3)), package.layers.LSTM(4, return_sequences=True),
                               package.layers.Dense(1)])
    made.compile(package.optimizers.SGD(0.1), "mse", metrics=["mae"])
    state = np.random.default_rng(1)
    made.set_weights([state.standard_normal(w.shape) * 0.3 for w in made.get_weights()])
    return made


def batches(*arrays):
    for start in range(0, N, SIZE):
        yield tuple(array[start : start + SIZE] for array in arrays)


class ByIndex(PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.items = list(batches(*arrays))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def tf_data(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(SIZE)


def data_loader(*arrays):
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*map(torch.from_numpy, arrays)), SIZE)


class Stream(torch.utils.data.IterableDataset):
    """What has no length."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return iter(zip(*self.arrays))


SOURCES = {
    "PyDataset": ByIndex, "tf.data": tf_data, "DataLoader": data_loader,
    "tf.data of unknown length": lambda *arrays: tf_data(*arrays).filter(lambda *_: True),
    "DataLoader without length": lambda *arrays: torch.utils.data.DataLoader(Stream(*arrays), SIZE),
    "Dataset": lambda *arrays: Dataset(list(zip(*arrays))).batch(SIZE),
    "iterable": lambda *arrays: Dataset(lambda: batches(*arrays)),
    "lists": lambda *arrays: Dataset(lambda: map(list, batches(*arrays))),
}


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]


def test_all_train_as_arrays_do(source):
    one, two = model(), model()
    data = source(x, y, weight)
    history = one.fit(data, epochs=2, verbose=0, shuffle=False, validation_data=source(x, y)).history
    assert history == two.fit(x, y, SIZE, epochs=2, verbose=0, shuffle=False, sample_weight=weight,
                              validation_data=(x, y), validation_batch_size=SIZE).history
    assert all((a == b).all() for a, b in zip(one.get_weights(), two.get_weights(), strict=True))
    assert one.evaluate(data, verbose=0) == two.evaluate(x, y, SIZE, sample_weight=weight, verbose=0)
    np.testing.assert_array_equal(one.predict(data, verbose=0), two.predict(x, SIZE, verbose=0))
    np.testing.assert_array_equal(one.predict(source(x), verbose=0), two.predict(x, SIZE, verbose=0))
    assert one.predict(data, steps=2, verbose=0).shape == (2 * SIZE, 5, 1)


def test_an_endless_one():
    one, two = model(), model()
    endless = tf_data(x, y).repeat()
    history = one.fit(endless, steps_per_epoch=3, epochs=2, verbose=0, validation_data=endless, validation_steps=3)
    again = two.fit(itertools.cycle(batches(x, y)), steps_per_epoch=3, epochs=2, verbose=0, validation_data=(x, y),
                    validation_batch_size=SIZE)
    assert history.history == again.history


def test_class_weights_count_in_sources(source):
    classes = np.arange(N) % 2
    results = []
    for data in source(x[:, 0], classes), None:
        made = fastrnn.Sequential([Input((3,)), Dense(2, kernel_initializer="ones", activation="softmax")])
        made.compile("sgd", "sparse_categorical_crossentropy")
        given = (data,) if data is not None else (x[:, 0], classes, SIZE)
        results.append(made.fit(*given, class_weight={1: 5.0}, shuffle=False, verbose=0).history)
    assert results[0] == results[1]
    with pytest.raises(ValueError, match="pass class_weight or sample_weight, not both"):
        made.fit(source(x[:, 0], classes, np.ones(N, "float32")), class_weight={1: 5.0}, verbose=0)


def several():
    a, b = Input((5, 3), name="series"), Input((2,), name="facts")
    both = Concatenate()([LSTM(3, kernel_initializer="ones")(a), b])
    made = fastrnn.Model([a, b], {"up": Dense(1, name="up", kernel_initializer="ones")(both),
                                  "down": Dense(1, name="down", kernel_initializer="ones")(both)})
    made.compile("sgd", {"up": "mse", "down": "mae"})
    state = np.random.default_rng(2)
    made.set_weights([state.standard_normal(w.shape) * 0.3 for w in made.get_weights()])
    return made


@pytest.mark.parametrize("inputs", ["tuple", "list", "dict"])
@pytest.mark.parametrize("kind", ["generator", "PyDataset", "tf.data", "Dataset"])
def test_several_inputs_and_outputs(inputs, kind):
    ups, downs = y[:, 0], y[:, 1]

    def item(*arrays):
        a, b, up, down = arrays
        named = {"tuple": (a, b), "list": [a, b], "dict": {"facts": b, "series": a}}[inputs]
        return named, {"up": up, "down": down}

    plain = [item(*arrays) for arrays in batches(x, extra, ups, downs)]
    if kind == "tf.data":
        if inputs == "list":
            inputs = "tuple"                # TensorFlow makes one tensor of a list
        data = tf.data.Dataset.from_tensor_slices(item(x, extra, ups, downs)).batch(SIZE)
    else:
        data = {"generator": lambda: (one for one in plain * 2), "Dataset": lambda: Dataset(plain),
                "PyDataset": lambda: type("Of", (ByIndex,), {"__init__": lambda self: setattr(self, "items", plain)})()}
        data = data[kind]()
    one, two = several(), several()
    one.fit(data, epochs=2, steps_per_epoch=3, shuffle=False, verbose=0)
    two.fit([x, extra], {"up": ups, "down": downs}, SIZE, epochs=2, shuffle=False, verbose=0)
    assert one.history.history == two.history.history


@pytest.mark.parametrize("convert", [tf.constant, tf.Variable, torch.from_numpy, lambda a: torch.from_numpy(a).clone()
                                     .requires_grad_(), keras.ops.convert_to_tensor, lambda a: a.tolist()],
                         ids=["tf", "tf.Variable", "torch", "torch that requires a gradient", "jax", "lists"])
def test_arrays_of_every_library(convert):
    one, two = model(), model()
    given = one.fit(convert(x), convert(y), SIZE, sample_weight=convert(weight), epochs=2, verbose=0, shuffle=False,
                    validation_data=(convert(x), convert(y))).history
    assert given == two.fit(x, y, SIZE, sample_weight=weight, epochs=2, verbose=0, shuffle=False,
                            validation_data=(x, y)).history
    assert one.train_on_batch(convert(x), convert(y)) == two.train_on_batch(x, y)
    np.testing.assert_array_equal(one.predict(convert(x), verbose=0), two.predict(x, verbose=0))


@pytest.mark.parametrize("options", [
    {"steps_per_epoch": 2, "epochs": 3}, {"steps_per_epoch": 5, "epochs": 2}, {"steps_per_epoch": 3, "epochs": 2},
    {"validation_steps": 1, "epochs": 2}, {"validation_split": 0.25, "epochs": 2},
    {"validation_freq": [2, 3], "epochs": 4}, {"validation_freq": 2, "epochs": 5},
    {"initial_epoch": 2, "epochs": 4}, {"validation_batch_size": 5, "validation_steps": 2}],
    ids=lambda options: ", ".join(options))
@pytest.mark.parametrize("kind", ["arrays", "sequence"])
@pytest.mark.filterwarnings("ignore:.*ran out of data")
def test_epochs_are_keras(options, kind):
    histories = []
    for package in fastrnn, keras:
        made = model(package)
        if kind == "sequence" and "validation_split" in options:
            return
        if kind == "sequence":
            base = package.utils.PyDataset
            source_of = type("Of", (base,), {"__len__": ByIndex.__len__, "__getitem__": ByIndex.__getitem__})()
            source_of.items = list(batches(x, y))
            given, more = (source_of,), {"validation_data": source_of}
        else:
            given, more = (x, y, SIZE), {"validation_data": (x, y)}
        if "validation_split" in options:
            more = {}
        run = made.fit(*given, shuffle=False, verbose=0, **{**more, **options})
        histories.append(run.history)
        assert run.epoch == list(range(options.get("initial_epoch", 0), options.get("epochs", 1)))
    assert set(histories[0]) == set(histories[1])
    for name, values in histories[1].items():
        np.testing.assert_allclose(histories[0][name], values, rtol=2e-4, err_msg=name)


def test_a_generator_that_ends_early():
    made = model()
    with pytest.warns(UserWarning, match="fit: the input ran out of data after 1 of 2 batches"):
        history = made.fit(batches(x, y), steps_per_epoch=2, epochs=5, verbose=0)
    assert history.epoch == [0, 1]          # interrupted, rather than trained on nothing
    with pytest.warns(UserWarning, match="evaluate: the input ran out of data after 3 of 9 batches"):
        results = made.evaluate(batches(x, y), steps=9, verbose=0)
    assert results == made.evaluate(x, y, SIZE, verbose=0)
    with pytest.warns(UserWarning, match="predict: the input ran out of data"):
        assert made.predict(batches(x), steps=9, verbose=0).shape == y.shape
    ended = batches(x, y)
    list(ended)
    for call in made.fit, made.evaluate, made.predict:
        with pytest.raises(ValueError, match=f"{call.__name__}: the source gave no batch; a generator that has come"):
            call(ended, verbose=0)


def test_validation_by_a_generator_that_ends():
    made = model()
    with pytest.warns(UserWarning, match="fit: validation_data: the input ran out of data"):
        history = made.fit(x, y, epochs=3, verbose=0, validation_data=batches(x, y)).history
    assert len(history["loss"]) == 3 and len(history["val_loss"]) == 1


def on_disk(kind, array, folder):
    """The array in a file, which is not to be read as a whole."""
    path = str(folder / f"array{id(array)}")
    if kind == "h5py":
        return h5py.File(path, "w").create_dataset("array", data=array.astype("float64"), chunks=True)
    np.save(path, array.astype("float64"))
    return np.load(path + ".npy", mmap_mode="r")


@pytest.mark.parametrize("kind", ["h5py", "memmap"])
def test_arrays_on_disk_are_read_batch_by_batch(kind, tmp_path, monkeypatch):
    made, sizes = model(), []
    first = made.layers[0]
    check = type(first).check_input
    monkeypatch.setattr(type(first), "check_input", lambda self, x: sizes.append(len(x)) or check(self, x))
    disk, targets, weights = (on_disk(kind, array, tmp_path) for array in (x, y, weight))
    found, results = made.predict(disk, SIZE, verbose=0), made.evaluate(disk, targets, SIZE, verbose=0)
    weighted = made.evaluate(disk, targets, SIZE, verbose=0, sample_weight=weights)
    assert max(sizes) == SIZE
    np.testing.assert_array_equal(found, made.predict(x, SIZE, verbose=0))
    assert results == made.evaluate(x, y, SIZE, verbose=0)
    assert weighted == made.evaluate(x, y, SIZE, verbose=0, sample_weight=weight)
    other = model()
    assert other.fit(disk, targets, SIZE, verbose=0, shuffle=False).history == made.fit(
        x, y, SIZE, verbose=0, shuffle=False).history
    two = several()
    np.testing.assert_array_equal(two.predict({"series": disk, "facts": extra}, 5, verbose=0)["up"],
                                  two.predict([x, extra], 5, verbose=0)["up"])
    with pytest.raises(ValueError, match="expected as many samples"):
        made.evaluate(disk, targets[:5], SIZE, verbose=0)
    assert made.predict(disk, SIZE, steps=2, verbose=0).shape == (2 * SIZE, 5, 1)


def test_predictions_of_more_than_memory_holds(tmp_path):
    """A sparse file of 8 TB, of which one batch is read at a time."""
    path = tmp_path / "large"
    with open(path, "wb") as file:
        file.truncate(2**43)
    large = np.memmap(path, "float64", "r", shape=(2**32, 32, 8))
    made = fastrnn.Sequential([Input((32, 8)), LSTM(1)])
    assert made.predict(large, 4, steps=3, verbose=0).shape == (12, 1)


def test_stop_training_in_an_epoch_of_a_generator():
    made, data, taken = model(), itertools.cycle(batches(x, y)), []

    class Stop(fastrnn.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            taken.append(batch)
            self.model.stop_training = batch == 1

    made.fit(data, steps_per_epoch=3, epochs=4, verbose=0, callbacks=[Stop()])
    assert taken == [0, 1]
    made.fit(data, steps_per_epoch=1, verbose=0)        # goes on


@pytest.mark.parametrize(("call", "message"), [
    (lambda made: made.fit(batches(x, y), y), "fit: y must be None where x is a source"),
    (lambda made: made.fit(batches(x, y), sample_weight=weight), "yield .x, y, sample_weight."),
    (lambda made: made.fit(batches(x, y), validation_split=0.5), "validation_split are not supported"),
    (lambda made: made.fit(batches(x, y, weight, x)), "got 4 items"),
    (lambda made: made.fit(batches(x)), "y is missing"),
    (lambda made: made.fit(batches(x[:, :, :2], y)), "expected input .batch, time, 3., got .4, 5, 2."),
    (lambda made: made.evaluate(batches(x, y[:, :2])), "y"),
    (lambda made: made.fit(batches(x, y), steps_per_epoch=0), "number of steps: expected 1 or more"),
    (lambda made: made.fit(x, y, validation_data=(x, y, weight, x)), "validation_data: expected .*got 4 items")])
def test_errors(call, message):
    made = model()
    before = made.get_weights()
    with pytest.raises(ValueError, match=message):
        call(made)
    assert all((a == b).all() for a, b in zip(before, made.get_weights(), strict=True))


class TestBlocks:
    """Arrays that are larger than memory."""

    samples = np.arange(103)

    def rows(self, blocks):
        return [batch[0].tolist() for batch in blocks]

    def test_in_order(self, monkeypatch):
        monkeypatch.setattr("fastrnn.training.blocks.IN_ORDER", 8 * 25)
        blocks = Blocks(self.samples, None, None, 10, "fit")
        assert blocks.block_size == 20 and len(blocks) == 11
        assert self.rows(blocks) == [self.samples[i : i + 10].tolist() for i in range(0, 103, 10)]

    def test_shuffled_by_blocks(self, monkeypatch):
        monkeypatch.setattr("fastrnn.training.blocks.SHUFFLED", 8 * 25)
        blocks = Blocks([self.samples, self.samples * 2], {"y": self.samples}, None, 10, "fit", True)
        fastrnn.utils.set_random_seed(0)
        first, second = self.rows_of_pairs(blocks), self.rows_of_pairs(blocks)
        for epoch in first, second:
            assert len(epoch) == len(blocks) == 11 and sorted(itertools.chain(*epoch)) == self.samples.tolist()
            assert all(len({row // 20 for row in batch}) == 1 for batch in epoch)      # a batch is of one block
        assert first != second
        fastrnn.utils.set_random_seed(0)
        assert self.rows_of_pairs(blocks) == first

    def rows_of_pairs(self, blocks):
        found = []
        for (one, two), targets, weight in blocks:
            assert (two == 2 * one).all() and (targets["y"] == one).all() and weight is None
            found.append(one.tolist())
        return found

    def test_within_batches(self):
        fastrnn.utils.set_random_seed(0)
        rows = self.rows(Blocks(self.samples, None, None, 10, "fit", "batch"))
        assert [sorted(batch) for batch in rows] == [self.samples[i : i + 10].tolist() for i in range(0, 103, 10)]
        assert rows[0] != sorted(rows[0])

    def test_split(self):
        first, last = Blocks(self.samples, None, None, 10, "fit", True).split(0.2)
        assert sorted(itertools.chain(*self.rows(first))) == list(range(82))
        assert list(itertools.chain(*self.rows(last))) == list(range(82, 103))
        with pytest.raises(ValueError, match="validation_split=0.999 of 103 samples leaves none"):
            Blocks(self.samples, None, None, 10, "fit").split(0.999)

    def test_an_error_of_reading(self):
        class Broken:
            dtype, shape, chunks = np.dtype("float32"), (30, 5, 3), ()

            def __len__(self):
                return 30

            def __getitem__(self, rows):
                if rows.start >= 8:
                    raise OSError("the disk is gone")
                return np.zeros((rows.stop - rows.start, 5, 3))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("fastrnn.training.blocks.IN_ORDER", 1)
            with pytest.raises(OSError, match="the disk is gone"):
                model().predict(Broken(), 8, verbose=0)


@pytest.mark.parametrize("kind", ["h5py", "memmap", "dask"])
def test_training_on_arrays_on_disk(kind, tmp_path):
    """One block is the whole: as a shuffled array, whose order is drawn after that of the blocks."""
    if kind == "dask":
        disk, targets = dask.array.from_array(x, chunks=3), dask.array.from_array(y, chunks=4)
    else:
        disk, targets = on_disk(kind, x, tmp_path), on_disk(kind, y, tmp_path)
    made = model()
    history = made.fit(disk, targets, SIZE, epochs=2, verbose=0, validation_split=0.3, sample_weight=weight).history
    assert sorted(history) == sorted(model().fit(x, y, SIZE, verbose=0, validation_split=0.3).history)
    assert all(np.isfinite(values).all() and len(values) == 2 for values in history.values())
