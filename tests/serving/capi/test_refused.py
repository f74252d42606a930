# SPDX-License-Identifier: Apache-2.0
"""What the C interface refuses, by which code."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

from fastrnn import Input, Sequential
from fastrnn import layers as L
from tests.serving.capi.library import CODES
from tests.serving.capi.sessions import IN_PYTHON, SLOTS, Outputs, lstm, ready
from tests.serving.recipes import WIDTH, WORDS, input_of, model_of


class TestRefused:
    """By a code; no state has moved and nothing is written."""

    @pytest.fixture
    def session(self, c):
        frozen = lstm().freeze()
        model = c.from_python(frozen)
        stream = c.stream(model, SLOTS, SLOTS - 1, 5)
        mine = frozen.stream(SLOTS)
        x = np.random.default_rng(0).standard_normal((SLOTS - 1, 5, WIDTH)).astype("float32")
        slots = np.arange(SLOTS - 1, dtype="int32")
        assert c.feed(stream, x, Outputs(SLOTS - 1, 5, 3).y, slots) == 0
        mine.feed(x, slots)
        yield stream, x, slots
        out = Outputs(SLOTS - 1, 5, 3)
        assert c.feed(stream, x, out.y, slots) == 0
        assert np.array_equal(out.y, mine.feed(x, slots))
        assert c.free(model, stream) == 0

    @pytest.mark.parametrize(("rows", "code"), [(-1, "ROWS"), (SLOTS, "ROWS"), (1 << 62, "ROWS"), (-1 << 63, "ROWS")])
    def test_rows(self, c, session, rows, code):
        stream, x, slots = session
        out = Outputs(*x.shape[:2], 3)
        assert c.step(stream, x, out.y, slots, N=rows) == CODES[code]
        assert c.feed(stream, x, out.y, slots, N=rows) == CODES[code]
        assert c.predict(stream, x, out.y, N=rows) == CODES[code]
        assert out.untouched()

    @pytest.mark.parametrize("steps", [-1, 6, 1 << 62])
    def test_steps(self, c, session, steps):
        stream, x, slots = session
        out = Outputs(*x.shape[:2], 3)
        assert c.feed(stream, x, out.y, slots, T=steps) == CODES["STEPS"]
        assert c.predict(stream, x, out.y, T=steps) == CODES["STEPS"]
        assert out.untouched()

    @pytest.mark.parametrize(("slots", "code"), [
        ([0, 1, SLOTS], "SLOT"), ([-1, 1, 2], "SLOT"), ([0, 1, 2**31 - 1], "SLOT"), ([-2**31, 1, 2], "SLOT"),
        ([0, 2, 0], "SLOT_TWICE"), ([3, 3, 3], "SLOT_TWICE"),
    ])  # fmt: skip
    def test_slots(self, c, session, slots, code):
        stream, x, _ = session
        out = Outputs(*x.shape[:2], 3)
        slots = np.array(slots, "int32")
        assert c.step(stream, ready(x[:, 0]), out.y, slots) == CODES[code]
        assert c.feed(stream, x, out.y, slots) == CODES[code]
        assert c.reset(stream, slots) == CODES[code]
        assert out.untouched()

    @pytest.mark.parametrize("rows", [-1, SLOTS + 1, 1 << 62])
    def test_rows_of_reset(self, c, session, rows):
        stream, _, slots = session
        assert c.reset(stream, slots, N=rows) == CODES["ROWS"]

    @pytest.mark.parametrize("lengths", [[5, 6, 0], [-1, 2, 3], [0, 0, 2**31 - 1]])
    def test_lengths(self, c, session, lengths):
        stream, x, slots = session
        out = Outputs(*x.shape[:2], 3)
        lengths = np.array(lengths, "int32")
        assert c.feed(stream, x, out.y, slots, lengths) == CODES["LENGTH"]
        assert c.predict(stream, x, out.y, lengths) == CODES["LENGTH"]
        assert out.untouched()

    def test_null(self, c, session):
        stream, x, slots = session
        out = Outputs(*x.shape[:2], 3)
        for call in (lambda x, y: c.step(stream, x, y, slots, N=3), lambda x, y: c.feed(stream, x, y, slots, N=3, T=5),
                     lambda x, y: c.predict(stream, x, y, N=3, T=5)):
            assert call(None, out.y) == CODES["NULL"]
            assert call(x, None) == CODES["NULL"]
        assert out.untouched()

    def test_nothing_to_do(self, c, session):
        stream, _, slots = session
        assert c.step(stream, None, None, slots, N=0) == 0
        assert c.feed(stream, None, None, slots, N=3, T=0) == 0
        assert c.predict(stream, None, None, N=0, T=5) == 0
        assert c.reset(stream, slots, N=0) == 0

    def test_a_null_handle(self, c):
        x, out = np.zeros((1, 1, WIDTH), "float32"), Outputs(1, 1, 3)
        assert c.step(None, x, out.y) == CODES["CLOSED"]
        assert c.feed(None, x, out.y) == CODES["CLOSED"]
        assert c.predict(None, x, out.y) == CODES["CLOSED"]
        assert c.reset(None) == CODES["CLOSED"]
        assert c.free(None, None) == 0
        assert c.failure("stream", None, 1, 1, 1, 1)[0] == CODES["CLOSED"]

    def test_a_freed_handle(self, c):
        model = c.from_python(lstm().freeze())
        stream = c.stream(model, 1, 1, 1)
        assert c.free(model, stream) == 0
        assert not model and not stream
        assert c.free(model, stream) == 0
        assert c.step(stream, np.zeros((1, WIDTH), "float32"), Outputs(1, 3).y) == CODES["CLOSED"]

    @pytest.mark.parametrize("name", ["words", "words masked", "words normalized", "words convolution"])
    @pytest.mark.parametrize("index", [-1, WORDS, 2**31 - 1, -2**31])
    def test_an_index(self, c, name, index):
        frozen, x = model_of(name).freeze(), ready(input_of(name, 2, 3))
        model = c.from_python(frozen)
        stream, mine = c.stream(model, 2, 2, 3), frozen.stream(2)
        outputs = c.sizes(model)[3]
        bad, out = x.copy(), Outputs(2, 3, outputs)
        bad[1, 2] = index
        assert c.feed(stream, bad, out.y) == CODES["INDEX"]
        assert c.predict(stream, bad, out.y) == CODES["INDEX"]
        assert c.step(stream, ready(bad[:, 2]), out.y) == CODES["INDEX"]
        assert out.untouched()
        assert c.feed(stream, x, out.y) == 0
        assert np.array_equal(out.y, mine.feed(x))
        c.free(model, stream)

    def test_a_last_step_that_is_not_there(self, c):
        frozen = model_of("SimpleRNN").freeze()
        model = c.from_python(frozen)
        stream, out = c.stream(model, 1, 2, 3), Outputs(2, 2)
        x = np.zeros((2, 3, WIDTH), "float32")
        assert c.predict(stream, x, out.y, np.array([3, 0], "int32")) == CODES["LENGTH"]
        assert c.predict(stream, x, out.y, T=0) == CODES["STEPS"]
        assert out.untouched()
        c.free(model, stream)

    def test_fewer_slots_than_rows(self, c):
        model = c.from_python(lstm().freeze())
        stream, out = c.stream(model, 1, 2, 3), Outputs(2, 3, 3)
        x = np.zeros((2, 3, WIDTH), "float32")
        assert c.feed(stream, x, out.y) == CODES["ROWS"]
        assert out.untouched()
        assert c.predict(stream, x, out.y) == 0
        c.free(model, stream)

    def test_a_busy_stream(self, c):
        model = c.from_python(lstm().freeze())
        stream, out = c.stream(model, 1, 1, 1), Outputs(1, 1, 3)
        x = np.zeros((1, 1, WIDTH), "float32")
        assert c.library.check_close(stream) == 0           # as if a thread were inside
        assert c.library.check_close(stream) == CODES["BUSY"]
        assert c.step(stream, x, out.y) == CODES["BUSY"]
        assert c.feed(stream, x, out.y) == CODES["BUSY"]
        assert c.predict(stream, x, out.y) == CODES["BUSY"]
        assert c.reset(stream) == CODES["BUSY"]
        assert c.free(model, stream) == CODES["BUSY"]
        assert stream
        assert out.untouched()

    @pytest.mark.parametrize(("sizes", "name"), [
        ((0, 1, 1, 1), "slots"), ((-5, 1, 1, 1), "slots"), ((1, 0, 1, 1), "rows"), ((1, 1, 0, 1), "steps"),
        ((1, 1, 1, -1), "threads"), ((1, 1, 1, 1025), "threads"), ((1 << 62, 1, 1, 1), "slots"),
    ])  # fmt: skip
    def test_sizes_of_a_stream(self, c, sizes, name):
        model = c.from_python(lstm().freeze())
        code, text = c.failure("stream", model, *sizes)
        assert code == CODES["SIZE"]
        assert text.startswith(f"fastrnn_stream_new {name}: expected ")
        with pytest.raises(ValueError, match=f"fastrnn_stream_new {name}"):
            c.stream(model, *sizes)
        c.free(model)

    def test_files(self, c, tmp_path):
        (tmp_path / "broken.safetensors").write_bytes(b"\0" * 100)
        for name in ("absent.safetensors", "broken.safetensors", ""):
            code, text = c.failure("open", os.fsencode(tmp_path / name))
            assert code == CODES["FILE"]
            assert text
        with pytest.raises(FileNotFoundError, match="absent"):
            c.open(tmp_path / "absent.safetensors")

    def test_no_frozen_model(self, c):
        code, text = c.failure("python", lstm())
        assert code == CODES["LAYER"]
        assert text == "model_capsule frozen: expected a model's freeze(), got Sequential"

    def test_the_text_is_cut(self, c):
        assert c.failure("python", lstm(), size=10) == (CODES["LAYER"], "model_cap")

    @pytest.mark.parametrize(("name", "layer"), IN_PYTHON.items())
    def test_layers_in_python(self, c, name, layer):
        model = model_of(name)
        code, text = c.failure("python", model.freeze())
        assert code == CODES["LAYER"]
        names = [str(one) for one in model.layers if type(one).__name__ == layer]
        assert re.match(r"C interface: .+ runs in Python; step the model from Python", text)
        assert any(name in text for name in names)

    def test_a_layer_that_cannot_stream(self, c, tmp_path):
        model = Sequential([Input((None, 3)), L.Bidirectional(L.GRU(3), name="both")])
        model.save(tmp_path / "both.safetensors")
        code, text = c.failure("open", os.fsencode(tmp_path / "both.safetensors"))
        assert code == CODES["LAYER"]
        assert "Bidirectional 'both' reads the sequence from its end" in text
