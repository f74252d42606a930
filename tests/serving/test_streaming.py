# SPDX-License-Identifier: Apache-2.0
"""Streams: the bits of the whole sequence, however it is dealt out; slots; states; what is refused."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Model, Sequential
from fastrnn import layers as L
from fastrnn.graph.schedule import Schedule
from tests.serving.recipes import STREAMS, WIDTH, input_of, model_of

STEPS, SLOTS = 9, 4


def whole(frozen: Any, x: np.ndarray) -> np.ndarray:
    """The outputs of all steps: of one call, or, where a layer gives the last step alone, of one for each length."""
    y = frozen(x)
    if y.ndim == 3:
        return y
    return np.stack([frozen(x[:, :steps]) for steps in range(1, x.shape[1] + 1)], axis=1)


@pytest.mark.parametrize("name", STREAMS)
class TestSameBits:
    def test_step_by_step(self, name):
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        stream = frozen.stream(SLOTS)
        assert np.array_equal(np.stack([stream.step(x[:, t]) for t in range(STEPS)], 1), whole(frozen, x))

    @pytest.mark.parametrize("threads", [1, 3])
    def test_any_chunks_and_threads(self, name, threads):
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        before = fastrnn.get_num_threads()
        fastrnn.set_num_threads(threads)
        try:
            stream = frozen.stream(SLOTS)
            chunks = np.split(x, [1, 4, 4, 8], axis=1)
            assert np.array_equal(np.concatenate([stream.feed(chunk) for chunk in chunks], 1), whole(frozen, x))
        finally:
            fastrnn.set_num_threads(before)

    def test_the_slots_in_any_company(self, name):
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        stream, expected = frozen.stream(SLOTS), whole(frozen, x)
        at = np.zeros(SLOTS, int)
        rng = np.random.default_rng(0)
        while at.min() < STEPS:
            slots = [slot for slot in rng.permutation(SLOTS).tolist() if at[slot] < STEPS and rng.random() < 0.6]
            y = stream.step(np.array([x[slot, at[slot]] for slot in slots]).reshape(len(slots), *x.shape[2:]), slots)
            for row, slot in enumerate(slots):
                assert np.array_equal(y[row], expected[slot, at[slot]])
                at[slot] += 1

    def test_chunks_of_unequal_lengths(self, name):
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        stream, expected = frozen.stream(SLOTS), whole(frozen, x)
        first, rest = np.array([3, 0, 5, 4]), np.array([6, 9, 4, 5])
        y = stream.feed(x[:, :5], lengths=first)
        later = np.zeros_like(x)
        for slot in range(SLOTS):
            later[slot, :rest[slot]] = x[slot, first[slot]:]
        z = stream.feed(later, lengths=rest)
        for slot in range(SLOTS):
            assert np.array_equal(np.concatenate([y[slot, :first[slot]], z[slot, :rest[slot]]]), expected[slot])
            assert not y[slot, first[slot]:].any()
            assert not z[slot, rest[slot]:].any()

    def test_states_by_hand(self, name):
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        state = frozen.initial_state(SLOTS)
        expected = whole(frozen, x)
        for t in range(STEPS):
            y, state = frozen.step(x[:, t], state)
            assert np.array_equal(y, expected[:, t])

    def test_a_copy_and_bytes_go_on_alike(self, name):
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        stream = frozen.stream(SLOTS)
        stream.feed(x[:, :4])
        other, third = stream.copy(), frozen.stream(1)
        third.loads(stream.dumps(2), 0)
        y = stream.feed(x[:, 4:])
        assert np.array_equal(other.feed(x[:, 4:]), y)
        assert np.array_equal(third.feed(x[2:3, 4:]), y[2:3])

    def test_a_long_feed_goes_in_parts(self, name):
        """More rows times steps than go through all layers at a time."""
        frozen, x = model_of(name).freeze(), input_of(name, 3, 900)
        stream = frozen.stream(3)
        y = stream.feed(x)
        assert np.array_equal(y[:, -1], whole(frozen, x)[:, -1] if frozen(x).ndim == 3 else frozen(x))

    def test_not_masked_lengths(self, name):
        """`frozen(x, lengths)` gives at each sample's end what the sample alone gives."""
        frozen, x = model_of(name).freeze(), input_of(name, SLOTS, STEPS)
        lengths = np.array([2, 9, 1, 5])
        y = frozen(x, lengths=lengths)
        for sample, length in enumerate(lengths):
            alone = frozen(x[sample:sample + 1, :length])[0]
            got = y[sample, :length] if y.ndim == 3 else y[sample]
            assert np.allclose(got, alone, atol=1e-6)


def test_float64():
    fastrnn.config.set_floatx("float64")
    try:
        frozen = model_of("stack").freeze()
        x = input_of("stack", 2, STEPS).astype("float64")
        assert np.array_equal(frozen.stream(2).feed(x)[:, -1], frozen(x))
    finally:
        fastrnn.config.set_floatx("float32")


class TestSlots:
    def test_open_and_close(self):
        frozen, x = model_of("LSTM").freeze(), input_of("LSTM", 4, STEPS)
        stream, expected = frozen.stream(2), whole(frozen, x)
        stream.feed(x[:2, :3])
        assert stream.open() == 2
        assert stream.slots == [0, 1, 2]
        y = stream.step(np.stack([x[0, 3], x[1, 3], x[2, 0]]))
        assert np.array_equal(y, [expected[0, 3], expected[1, 3], expected[2, 0]])
        stream.close(0)
        assert stream.slots == [1, 2] and len(stream) == 2
        y = stream.step(np.stack([x[1, 4], x[2, 1]]))
        assert np.array_equal(y, [expected[1, 4], expected[2, 1]])
        assert stream.open() == 0           # begins anew
        assert np.array_equal(stream.step(x[3:, 0], slots=[0]), expected[3:, 0])

    def test_grow_by_many(self):
        frozen, x = model_of("GRU").freeze(), input_of("GRU", 1, 2)
        stream = frozen.stream()
        first = stream.step(x[:, 0])
        opened = [stream.open() for _ in range(100)]
        assert opened == list(range(1, 101))
        assert np.array_equal(stream.step(x[:, 1], slots=[0]), whole(frozen, x)[:, 1])
        assert np.array_equal(stream.step(x[:, 0], slots=[77]), first)

    def test_reset(self):
        frozen, x = model_of("convolution").freeze(), input_of("convolution", 3, 4)
        stream = frozen.stream(3)
        first = stream.feed(x)
        stream.reset([1])
        again = stream.feed(x)
        assert np.array_equal(again[1], first[1]) and not np.array_equal(again[0], first[0])
        stream.reset()
        assert np.array_equal(stream.feed(x), first)

    def test_state_is_copies_and_can_be_set(self):
        frozen, x = model_of("stack").freeze(), input_of("stack", 3, 6)
        stream = frozen.stream(3)
        stream.feed(x[:, :2])
        state = stream.state
        assert {name: array.shape for name, array in state.items()} == {
            name: (3, *shape) for name, shape in frozen.state_shapes.items()}
        rest = stream.feed(x[:, 2:])
        stream.state = state
        assert np.array_equal(stream.feed(x[:, 2:]), rest)
        for array in state.values():
            array[:] = 7
        stream.state = {name: np.zeros_like(array) for name, array in state.items()}
        assert np.array_equal(stream.feed(x), frozen.stream(3).feed(x))

    def test_out(self):
        frozen, x = model_of("LSTM").freeze(), input_of("LSTM", 2, 3)
        stream, out = frozen.stream(2), np.empty((2, 3), "float32")
        assert stream.step(x[:, 0], out=out) is out
        assert np.array_equal(out, whole(frozen, x)[:, 0])
        long = np.empty((2, 2, 3), "float32")
        assert stream.feed(x[:, 1:], out=long) is long
        assert np.array_equal(long, whole(frozen, x)[:, 1:])

    def test_any_numbers_are_taken(self):
        frozen = model_of("LSTM").freeze()
        x = np.arange(2 * WIDTH).reshape(2, WIDTH)
        expected = frozen.stream(2).step(x.astype("float32"))
        for given in (x, x.astype("float64"), x.tolist(), np.asfortranarray(x.astype("float32")), x.astype(">f4")):
            assert np.array_equal(frozen.stream(2).step(given), expected)

    def test_of_no_slots_or_steps_nothing_changes(self):
        frozen, x = model_of("LSTM").freeze(), input_of("LSTM", 2, 3)
        stream = frozen.stream(2)
        assert stream.step(np.zeros((0, WIDTH)), slots=[]).shape == (0, 3)
        assert stream.feed(x[:, :0]).shape == (2, 0, 3)
        assert np.array_equal(stream.feed(x), whole(frozen, x))


class TestRefused:
    """Each names what was expected and what came, and leaves every slot as it was."""

    @pytest.mark.parametrize(("arguments", "message"), [
        ({"x": np.zeros((3, WIDTH + 1))}, r"expected \(slots, 5\), got \(3, 6\)"),
        ({"x": np.zeros(WIDTH)}, r"for one slot pass x\[None\]"),
        ({"x": np.zeros((2, WIDTH))}, "a row for each of 3 slots, got 2"),
        ({"x": np.zeros((3, WIDTH), "complex64")}, "complex numbers"),
        ({"x": [["a"] * WIDTH] * 3}, "strings"),
        ({"x": np.zeros((1, WIDTH)), "slots": [3]}, "slot 3 is unknown; open slots: 0, 1, 2"),
        ({"x": np.zeros((1, WIDTH)), "slots": [-1]}, "slot -1 is unknown"),
        ({"x": np.zeros((2, WIDTH)), "slots": [1, 1]}, "slot 1 is listed twice"),
        ({"x": np.zeros((1, WIDTH)), "slots": [0.5]}, "whole numbers"),
        ({"x": np.zeros((1, WIDTH)), "slots": [[0]]}, "a list of slots"),
        ({"x": np.zeros((3, WIDTH)), "out": np.zeros((3, 2), "float32")}, r"out: expected .* of \(3, 3\)"),
        ({"x": np.zeros((3, WIDTH)), "out": np.zeros((3, 3), "float64")}, "float64"),
    ])
    def test_a_step(self, arguments, message):
        stream = model_of("LSTM").freeze().stream(3)
        stream.feed(input_of("LSTM", 3, 2))
        before = stream.state
        with pytest.raises(ValueError, match=message):
            stream.step(**arguments)
        for name, array in stream.state.items():
            assert np.array_equal(array, before[name])

    @pytest.mark.parametrize("lengths", [[1, 2], [1, 2, 6], [-1, 0, 0], [0.5, 1, 1], "abc"])
    def test_lengths(self, lengths):
        stream = model_of("LSTM").freeze().stream(3)
        with pytest.raises(ValueError, match="length"):
            stream.feed(np.zeros((3, 5, WIDTH)), lengths=lengths)
        assert not any(array.any() for array in stream.state.values())

    @pytest.mark.parametrize("index", [30, -1, 2.5])
    def test_an_index_beyond_the_table(self, index):
        stream = model_of("words").freeze().stream(1)
        with pytest.raises(ValueError, match="stream x"):
            stream.step([index])
        with pytest.raises(ValueError, match="'x'"):
            stream.step(np.array([99], "int32"))

    def test_a_closed_slot(self):
        stream = model_of("LSTM").freeze().stream(3)
        stream.close(1)
        for use in (lambda: stream.step(np.zeros((1, WIDTH)), slots=[1]), lambda: stream.reset([1]),
                    lambda: stream.close(1), lambda: stream.dumps(1)):
            with pytest.raises(ValueError, match="slot 1 is closed; open slots: 0, 2"):
                use()

    def test_states_that_do_not_fit(self):
        stream = model_of("LSTM").freeze().stream(2)
        with pytest.raises(ValueError, match="expected arrays lstm"):
            stream.state = {"h": np.zeros((2, 20))}
        names = list(stream.state)
        with pytest.raises(ValueError, match=r"expected \(2, 20\), got \(2, 19\)"):
            stream.state = dict.fromkeys(names, np.zeros((2, 19)))

    def test_bytes_of_another_model_version_or_changed(self):
        stream = model_of("LSTM").freeze().stream(1)
        stream.step(np.ones((1, WIDTH)))
        data = stream.dumps(0)
        changed = model_of("LSTM")
        changed.weights[0].assign(changed.weights[0].data + 1)
        for other in (changed, model_of("GRU")):
            with pytest.raises(ValueError, match="of another model"):
                other.freeze().stream(1).loads(data, 0)
        before = stream.state
        for bad, message in ((data[:-1], "cut off or changed"), (data[:-1] + b"x", "cut off or changed"),
                             (data[:8] + b"\x02" + data[9:], "version"), (b"", "as dumps gives"),
                             ("text", "got str"), (data[:20], "as dumps gives")):
            with pytest.raises(ValueError, match=message):
                stream.loads(bad, 0)
        assert all(np.array_equal(array, before[name]) for name, array in stream.state.items())
        stream.loads(data, 0)

    def test_two_threads_on_one_stream(self):
        stream = model_of("LSTM").freeze().stream(1)
        stream._runner.hold()               # as a thread that is inside
        found = []

        def step() -> None:
            try:
                stream.step(np.zeros((1, WIDTH), "float32"))
            except RuntimeError as error:
                found.append(str(error))

        other = threading.Thread(target=step)
        other.start()
        other.join()
        stream._runner.release()
        assert found == ["stream: another thread is inside; give each thread a stream of its own"]
        stream.step(np.zeros((1, WIDTH), "float32"))

    @pytest.mark.parametrize(("layers", "message"), [
        ([L.Bidirectional(L.LSTM(3))], "Bidirectional .*from its end"),
        ([L.LSTM(3, return_sequences=True), L.GlobalMaxPooling1D()], "GlobalMaxPooling1D .*whole sequence"),
        ([L.LSTM(3, go_backwards=True)], "LSTM .*go_backwards"),
        ([L.Conv1D(3, 3), L.LSTM(3)], "Conv1D .*later steps.*causal"),
        ([L.GRU(3, activation="elu")], "GRU .*activation that the kernels lack, one of elu, sigmoid"),
        ([L.LSTM(3), L.RepeatVector(2), L.LSTM(2)], "RepeatVector"),
        ([L.Masking(), L.LSTM(3)], "Masking"),
        ([L.LSTM(3, return_sequences=True), L.Flatten()], "Flatten"),
        ([L.LSTM(3, return_sequences=True), L.LayerNormalization(axis=[1, 2])], "LayerNormalization"),
    ])
    def test_a_model_that_cannot_stream(self, layers, message):
        frozen = Sequential([Input((4, WIDTH)), *layers]).freeze()
        frozen(np.zeros((1, 4, WIDTH)))
        with pytest.raises(ValueError, match=message):
            frozen.stream()

    def test_several_inputs_and_states_on_symbols(self):
        a, b = Input((None, 3)), Input((4,))
        with pytest.raises(ValueError, match="one input and one output, got 2 and 1"):
            Model([a, b], L.GRU(4)(a, initial_state=b)).freeze().stream()
        x = Input((None, 3))
        y, state = L.GRU(4, return_state=True)(x)
        with pytest.raises(ValueError, match="hands out its states"):
            Model(x, L.Add()([y, state])).freeze().stream()
        Model(x, y).freeze().stream()


def test_an_error_in_a_python_layer_leaves_the_states(monkeypatch):
    """A step that fails half way leaves no layer behind the others."""
    broken, forward = [], L.PReLU.forward

    def breaks(self: Any, x: np.ndarray, *, call: Any) -> np.ndarray:
        if broken:
            raise FloatingPointError("in Python")
        return forward(self, x, call=call)

    monkeypatch.setattr(L.PReLU, "forward", breaks)
    model = Sequential([Input((None, WIDTH)), L.LSTM(4, return_sequences=True), L.PReLU(shared_axes=[1])])
    stream = model.freeze().stream(2)
    x = input_of("LSTM", 2, 2)
    stream.step(x[:, 0])
    before = stream.state
    broken.append(True)
    with pytest.raises(FloatingPointError, match="in Python"):
        stream.step(x[:, 1])
    assert all(np.array_equal(array, before[name]) for name, array in stream.state.items())
    broken.clear()
    stream.step(x[:, 1])


def test_schedules_agree_on_what_is_folded():
    """Where a table is folded, and where there is no room for it: the same bits."""
    model, x = model_of("words"), input_of("words", 3, STEPS)
    folded, plain = model.freeze(), model.freeze(fold_bytes=0)
    assert [fold.into for fold in folded.report()] == [model.layers[1].name] and not plain.report()
    assert np.array_equal(folded(x), plain(x))
    assert np.array_equal(folded.stream(3).feed(x), plain.stream(3).feed(x))
    assert np.array_equal(plain(x), Schedule(model.graph).infer([x])[0][0])


class Doubled(L.LSTM):
    """A layer of the user's own, with a `forward` of its own."""

    def forward(self, x: Any, *states: Any, call: Any) -> Any:
        return 2 * super().forward(x, *states, call=call)


class Tripled(L.Dropout):
    """No dropout, though it is one by its base."""

    def forward(self, x: np.ndarray, *, call: Any) -> np.ndarray:
        return 3 * x


class TestOwnClasses:
    """A subclass may compute anything: it is never taken for its base."""

    def test_they_do_not_stream(self):
        frozen = Sequential([Input((None, WIDTH)), Doubled(3, return_sequences=True), L.Dense(2)]).freeze()
        with pytest.raises(ValueError, match="a class of your own"):
            frozen.stream()

    def test_they_are_not_dropped_nor_folded_into(self):
        x = input_of("LSTM", 2, 4)
        for layers in ([Tripled(0.5), L.Dense(2)], [L.BatchNormalization(), Doubled(3)]):
            model = Sequential([Input((None, WIDTH)), *layers])
            frozen = model.freeze()
            assert not frozen.report()
            assert np.allclose(frozen(x), model.predict_on_batch(x), atol=1e-6)


def test_states_of_layers_that_share_a_name():
    """Two uses of a layer, or layers of models inside, have states of their own names."""
    x = Input((None, 3))
    lstm = L.LSTM(3, return_sequences=True)
    frozen = Model(x, lstm(lstm(x))).freeze()
    a = np.random.default_rng(0).standard_normal((2, 9, 3)).astype("float32")
    state, expected = frozen.initial_state(2), frozen(a)
    assert len(state) == 4
    for t in range(9):
        y, state = frozen.step(a[:, t], state)
        assert np.array_equal(y, expected[:, t])


@pytest.mark.parametrize("above", [
    lambda e, plain: L.GRU(4, return_sequences=True, zero_output_for_mask=True)(e),
    lambda e, plain: L.Softmax()(L.LSTM(4, return_sequences=True)(e)),
    lambda e, plain: L.LSTM(3)(L.Concatenate()([e, plain])),
    lambda e, plain: L.LSTM(3)(L.Multiply()([e, plain])),
])
def test_what_computes_with_a_mask_does_not_stream(above):
    words = Input((None,), dtype="int32")
    model = Model(words, above(L.Embedding(9, 4, mask_zero=True)(words), L.Embedding(9, 4)(words)))
    with pytest.raises(ValueError, match="computes with the mask"):
        model.freeze().stream()


def test_a_table_below_a_layer_that_is_used_twice():
    words = Input((None,), dtype="int32")
    lstm = L.LSTM(4, return_sequences=True)
    frozen = Model(words, lstm(lstm(L.Embedding(12, 4)(words)))).freeze()
    x = input_of("words", 2, 9) % 12
    assert np.array_equal(frozen.stream(2).feed(x), frozen(x))


def test_the_state_of_a_model_with_other_activations_is_refused():
    one, other = (Sequential([Input((None, 3)), L.LSTM(3, activation=name)]) for name in ("tanh", "relu"))
    other.set_weights(one.get_weights())
    data = one.freeze().stream().dumps(0)
    one.freeze().stream().loads(data, 0)
    with pytest.raises(ValueError, match="of another model"):
        other.freeze().stream().loads(data, 0)


def test_functional_steps_keep_streams_of_few_batch_sizes():
    frozen = model_of("LSTM").freeze()
    for batch in range(1, 30):
        frozen.step(np.zeros((batch, WIDTH)), frozen.initial_state(batch))
    assert len(frozen._idle) <= 6
    for wrong in (None, 1.0, np.zeros((0, WIDTH))):
        with pytest.raises(ValueError, match="step x"):
            frozen.step(wrong, frozen.initial_state(1))
