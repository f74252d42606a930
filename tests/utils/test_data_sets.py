# SPDX-License-Identifier: Apache-2.0
"""Dataset, windows of a series, texts in files, what is split off: against Keras's where it has the same order."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import fastrnn
from fastrnn.layers import Dense
from fastrnn.utils import Dataset, split_dataset, text_dataset_from_directory, timeseries_dataset_from_array


def plain(item):
    if isinstance(item, tuple):
        return tuple(plain(part) for part in item)
    if isinstance(item, dict):
        return {key: plain(value) for key, value in item.items()}
    return np.asarray(item).tolist()


def listed(dataset):
    return [plain(item) for item in dataset]


class TestDataset:
    numbers = Dataset(range(7))

    def test_is_read_again(self):
        data = self.numbers.map(lambda x: 2 * x).filter(lambda x: x != 4)
        assert listed(data) == listed(data) == [0, 2, 6, 8, 10, 12]

    def test_batches(self):
        assert listed(self.numbers.batch(3)) == [[0, 1, 2], [3, 4, 5], [6]]
        assert listed(self.numbers.batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
        assert listed(self.numbers.batch(3).unbatch()) == list(range(7))
        pairs = Dataset([({"a": i}, (i, [i, i])) for i in range(3)]).batch(2)
        assert listed(pairs) == [({"a": [0, 1]}, ([0, 1], [[0, 0], [1, 1]])), ({"a": [2]}, ([2], [[2, 2]]))]
        assert listed(pairs.unbatch()) == [({"a": i}, (i, [i, i])) for i in range(3)]

    def test_parts(self):
        assert listed(self.numbers.take(2)) == [0, 1] and listed(self.numbers.skip(5)) == [5, 6]
        assert listed(self.numbers.take(-1)) == list(range(7)) and listed(self.numbers.skip(-1)) == []
        assert listed(self.numbers.take(2).repeat(2)) == [0, 1, 0, 1]
        assert listed(self.numbers.repeat().skip(6).take(3)) == [6, 0, 1]
        assert listed(Dataset([]).repeat()) == []
        assert listed(self.numbers.take(1).concatenate(self.numbers.skip(6))) == [0, 6]
        assert listed(Dataset.zip((self.numbers.take(2), self.numbers.skip(2)))) == [(0, 2), (1, 3)]
        assert listed(self.numbers.take(2).enumerate()) == [(0, 0), (1, 1)]

    def test_lengths(self):
        data = self.numbers
        lengths = [len(one) for one in (data, data.batch(3), data.batch(3, True), data.take(2), data.take(9),
                                        data.skip(2), data.repeat(2), data.map(abs), data.shuffle(2), data.cache(),
                                        data.concatenate(data), Dataset.zip(data, data.take(3)), data.prefetch(1))]
        assert lengths == [7, 3, 2, 2, 7, 5, 14, 7, 7, 7, 14, 3, 7]
        for unknown in data.filter(bool), data.repeat(), data.batch(2).unbatch(), Dataset(lambda: iter([1])):
            with pytest.raises(TypeError, match="length of this Dataset is not known"):
                len(unknown)
            assert unknown.cardinality() == -2

    def test_shuffle(self):
        data = self.numbers.repeat(10).shuffle(100, seed=3)
        first, second = listed(data), listed(data)
        assert sorted(first) == sorted(second) == sorted(listed(self.numbers.repeat(10))) and first != second
        again = self.numbers.repeat(10).shuffle(100, seed=3)
        assert [listed(again), listed(again)] == [first, second]
        same = self.numbers.shuffle(7, seed=1, reshuffle_each_iteration=False)
        assert listed(same) == listed(same) != list(range(7))
        near = listed(Dataset(range(100)).shuffle(4, seed=0))
        assert all(item <= place + 3 for place, item in enumerate(near))

    def test_cache(self):
        made = []
        data = self.numbers.map(lambda x: made.append(x) or x).cache()
        list(data.take(2))
        assert listed(data) == listed(data) == list(range(7))
        assert made == [0, 1, *range(7)]

    def test_items_have_numpy(self):
        [batch] = self.numbers.batch(9)
        assert type(batch.numpy()) is np.ndarray and isinstance(batch, np.ndarray)


def same_as_keras(ours, theirs):
    for item, other in zip(ours, theirs, strict=True):
        pairs = zip(item, other, strict=True) if isinstance(item, tuple) else [(item, other)]
        for a, b in pairs:
            assert a.shape == b.shape and a.dtype == b.numpy().dtype
            np.testing.assert_array_equal(a, b.numpy())


SERIES = np.random.default_rng(0).standard_normal((50, 3)).astype("float32")


class TestWindows:
    @pytest.mark.parametrize("options", [
        {"sequence_length": 5}, {"sequence_length": 4, "sequence_stride": 3, "sampling_rate": 2, "batch_size": 4},
        {"sequence_length": 5, "batch_size": None}, {"sequence_length": 3, "start_index": 7, "end_index": 40},
        {"sequence_length": 6, "start_index": 3, "sampling_rate": 3, "batch_size": 7}])
    @pytest.mark.parametrize("targets", [None, "same", "fewer"])
    def test_same_as_keras(self, options, targets):
        wanted = {None: None, "same": np.arange(50), "fewer": np.arange(40.0)}[targets]
        ours = timeseries_dataset_from_array(SERIES, wanted, **options)
        theirs = keras.utils.timeseries_dataset_from_array(SERIES, wanted, **options)
        same_as_keras(ours, theirs)
        assert len(ours) == len(list(ours))

    def test_shuffled(self):
        ordered = timeseries_dataset_from_array(SERIES, np.arange(50), 5, batch_size=None)
        data = timeseries_dataset_from_array(SERIES, np.arange(50), 5, batch_size=4, shuffle=True, seed=1)
        first, second = ([row for x, y in data for row in y.tolist()] for _ in range(2))
        assert sorted(first) == sorted(second) == [int(y) for _, y in ordered] != first != second
        for x, y in data:
            np.testing.assert_array_equal(x[:, 0], SERIES[y])

    @pytest.mark.parametrize(("options", "message"), [
        ({"start_index": -1}, "start_index"), ({"start_index": 50}, "start_index"), ({"end_index": 50}, "end_index"),
        ({"start_index": 9, "end_index": 9}, "end_index"), ({"sampling_rate": 0}, "sampling_rate"),
        ({"sequence_stride": 50}, "sequence_stride"), ({"format": "csv"}, "format"), ({"batch_size": 0}, "batch_size")])
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=f"timeseries_dataset_from_array: expected .*{message}"):
            timeseries_dataset_from_array(SERIES, None, 5, **options)

    def test_trains_a_model(self):
        data = timeseries_dataset_from_array(SERIES[:-1], SERIES[1:, 0], 1, batch_size=8)
        model = fastrnn.Sequential([fastrnn.Input((1, 3)), fastrnn.layers.GRU(4), Dense(1)])
        model.compile("adam", "mse")
        history = model.fit(data, validation_data=data, epochs=3, verbose=0).history
        assert history["loss"][2] < history["loss"][0] and model.predict(data, verbose=0).shape == (49, 1)


@pytest.fixture
def folder(tmp_path):
    for name, text in {"b/2.txt": "two", "b/1.txt": "one", "b/deep/3.TXT": "three", "a/4.txt": "naïve four",
                       "a/x.csv": "no", ".hidden/5.txt": "no", "c/6.txt": "", "top.txt": "top"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def texts(dataset):
    """With Keras's bytes as our strings."""
    found = []
    for item in dataset:
        x, y = item if isinstance(item, tuple) else (item, None)
        x = np.asarray(x)
        x = [t.decode("utf-8", "replace") if isinstance(t, bytes) else str(t) for t in x.ravel().tolist()]
        found.append((x, None if y is None else (np.asarray(y).tolist(), str(np.asarray(y).dtype))))
    return found


class TestTexts:
    @pytest.mark.parametrize("options", [
        {}, {"label_mode": "categorical"}, {"label_mode": None}, {"labels": None}, {"batch_size": 2},
        {"batch_size": None}, {"class_names": ["b", "a"], "label_mode": "binary"}, {"max_length": 3},
        {"labels": [1, 0, 1, 1, 0, 0, 1]}, {"validation_split": 0.4, "subset": "training"},
        {"validation_split": 0.4, "subset": "validation"}])
    def test_same_as_keras(self, folder, options, capsys):
        if isinstance(options.get("labels"), list):     # Keras too counts the file in a hidden folder here
            options = {**options, "labels": options["labels"][:7]}
        theirs = keras.utils.text_dataset_from_directory(str(folder), shuffle=False, **options)
        said = capsys.readouterr().out
        ours = text_dataset_from_directory(folder, shuffle=False, **options)
        assert texts(ours) == texts(theirs) and ours.class_names == theirs.class_names
        assert capsys.readouterr().out == said
        assert len(ours) == len(list(ours))

    def test_both_subsets(self, folder):
        options = {"validation_split": 0.4, "seed": 5, "verbose": False}
        train, validation = text_dataset_from_directory(folder, subset="both", **options)
        their_train, their_validation = keras.utils.text_dataset_from_directory(str(folder), subset="both", **options)
        assert texts(validation) == texts(their_validation)     # in Keras's random order
        assert [sorted(x) for x, _ in texts(train)] == [sorted(x) for x, _ in texts(their_train)]
        [one] = texts(text_dataset_from_directory(folder, subset="training", **options))
        assert sorted(one[0]) == sorted(texts(train)[0][0])

    def test_labels_follow_their_texts(self, folder):
        data = text_dataset_from_directory(folder, seed=2, batch_size=1, verbose=False)
        of = {"one": 1, "two": 1, "three": 1, "naïve four": 0, "": 2}
        for _ in range(3):
            assert {str(x[0]): int(y[0]) for x, y in data} == of

    @pytest.mark.parametrize(("options", "message"), [
        ({"labels": "guess"}, "expected labels"), ({"label_mode": "one"}, "expected label_mode"),
        ({"labels": [0, 1]}, "expected a label for each of the 7 files, got 2"),
        ({"class_names": ["a", "z"]}, r"expected class_names among the folders \['a', 'b', 'c'\]"),
        ({"labels": None, "class_names": ["a"]}, "class_names is for labels='inferred' alone"),
        ({"label_mode": "binary"}, "label_mode 'binary' is for 2 classes, got 3"),
        ({"subset": "training"}, "go together"), ({"validation_split": 0.5}, "go together"),
        ({"validation_split": 1.5, "subset": "both"}, "between 0 and 1"), ({"format": "csv"}, "expected format"),
        ({"validation_split": 0.5, "subset": "training"}, "pass a seed"),
        ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "leaves a subset empty")])
    def test_errors(self, folder, options, message):
        with pytest.raises(ValueError, match=f"text_dataset_from_directory: .*{message}"):
            text_dataset_from_directory(folder, verbose=False, **options)

    def test_no_files(self, tmp_path):
        with pytest.raises(ValueError, match="found no .txt files"):
            text_dataset_from_directory(tmp_path)


class TestSplit:
    @pytest.mark.parametrize("sizes", [{"left_size": 0.7}, {"right_size": 3}, {"left_size": 2, "right_size": 0.5}])
    @pytest.mark.parametrize("shuffle", [False, True])
    @pytest.mark.parametrize("data", [SERIES[:11], (SERIES[:11], np.arange(11)), [np.arange(11), np.arange(11) * 2]])
    def test_same_as_keras(self, data, sizes, shuffle):
        options = {**sizes, "shuffle": shuffle, "seed": 4}
        theirs = keras.utils.split_dataset(data, preferred_backend="tensorflow", **options)
        for ours, other in zip(split_dataset(data, **options), theirs, strict=True):
            same_as_keras(ours, other)
            assert len(ours) == len(other)

    def test_batches_are_put_together_again(self):
        left, right = split_dataset(Dataset([(i, -i) for i in range(10)]).batch(3), left_size=6)
        assert listed(left) == [([0, 1, 2], [0, -1, -2]), ([3, 4, 5], [-3, -4, -5])]
        assert [x for x, _ in listed(right)] == [[6, 7, 8], [9]]

    @pytest.mark.parametrize(("sizes", "error", "message"), [
        ({}, ValueError, "got neither"), ({"left_size": 0}, ValueError, "from 1 to 9"),
        ({"left_size": 10}, ValueError, "from 1 to 9"), ({"right_size": 1.5}, ValueError, "between 0 and 1"),
        ({"left_size": 0.6, "right_size": 0.6}, ValueError, "more than the 10 samples"),
        ({"left_size": 0.01}, ValueError, "leave none on the left"), ({"left_size": "3"}, TypeError, "a number")])
    def test_errors(self, sizes, error, message):
        with pytest.raises(error, match=f"split_dataset: .*{message}"):
            split_dataset(np.arange(10), **sizes)

    def test_what_is_no_dataset(self):
        for data, error in ((5, TypeError), ([], ValueError), ([np.zeros(2), np.zeros(3)], ValueError)):
            with pytest.raises(error, match="split_dataset"):
                split_dataset(data, left_size=0.5)
