# SPDX-License-Identifier: Apache-2.0
"""The C interface: the bits of Python's streams, models and their sizes, threads, no allocation."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

import fastrnn
from tests.serving.capi.library import CODES, FOLDER, compile_c
from tests.serving.capi.sessions import IN_PYTHON, SLOTS, STEPS, Outputs, lstm, ready
from tests.serving.recipes import STREAMS, WIDTH, WORDS, input_of, model_of


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in IN_PYTHON])
class TestSameBits:
    """As Python's stream, for every kind of layer."""

    def test_step(self, c, name):
        frozen, x = model_of(name).freeze(), ready(input_of(name, SLOTS, STEPS))
        expected = frozen.stream(SLOTS).feed(x)
        model = c.from_python(frozen)
        stream = c.stream(model, SLOTS, SLOTS, 1)
        for t in range(STEPS):
            out = Outputs(SLOTS, expected.shape[-1])
            assert c.step(stream, ready(x[:, t]), out.y) == 0
            assert np.array_equal(out.y, expected[:, t])
            assert out.guards_hold()
        assert c.free(model, stream) == 0

    @pytest.mark.parametrize("threads", [1, 3])
    def test_feed_some_slots_of_unequal_lengths(self, c, name, threads):
        frozen, x = model_of(name).freeze(), ready(input_of(name, 3, STEPS))
        slots, lengths = np.array([3, 0, 2], "int32"), np.array([STEPS, 0, 4], "int32")
        mine = frozen.stream(SLOTS)
        expected = [mine.feed(x, slots), mine.feed(x, slots, lengths), mine.feed(x, slots)]
        model = c.from_python(frozen)
        stream = c.stream(model, SLOTS, 3, STEPS, threads)
        for y, some in zip(expected, (None, lengths, None)):
            out = Outputs(*y.shape)
            assert c.feed(stream, x, out.y, slots, some) == 0
            assert np.array_equal(out.y, y)
            assert out.guards_hold()
        c.free(model, stream)

    @pytest.mark.parametrize("rows", [1, SLOTS])
    def test_predict(self, c, name, rows):
        """As the model does, and the slots go on as if nothing had been."""
        frozen, x = model_of(name).freeze(), ready(input_of(name, rows, STEPS))
        lengths = np.array([5, 1, STEPS, 2], "int32")[:rows]
        model = c.from_python(frozen)
        stream = c.stream(model, 2, rows, STEPS)
        before = ready(x[:1, :3])
        steps = frozen.stream(1).feed(ready(x[:1]))
        assert c.feed(stream, before, Outputs(1, 3, steps.shape[-1]).y) == 0
        for some in (None, lengths):
            expected = frozen(x, lengths=some)
            if some is not None and expected.ndim == 3:
                expected = np.where(np.arange(STEPS)[:, None] < some[:, None, None], expected, 0)
            out = Outputs(*expected.shape)
            assert c.predict(stream, x, out.y, some) == 0
            assert np.array_equal(out.y, expected)
            assert out.guards_hold()
        out = Outputs(1, STEPS - 3, steps.shape[-1])
        assert c.feed(stream, ready(x[:1, 3:]), out.y) == 0
        assert np.array_equal(out.y, steps[:, 3:])
        assert c.sizes(model)[5] == (frozen(x).ndim == 3)
        c.free(model, stream)

    def test_reset(self, c, name):
        frozen, x = model_of(name).freeze(), ready(input_of(name, SLOTS, 3))
        expected = frozen.stream(SLOTS).feed(x)
        model = c.from_python(frozen)
        stream = c.stream(model, SLOTS, SLOTS, 3)
        first, later = Outputs(*expected.shape), Outputs(*expected.shape)
        assert c.feed(stream, x, first.y) == 0
        assert c.reset(stream, np.array([2, 1], "int32")) == 0
        assert c.feed(stream, x, later.y) == 0
        assert np.array_equal(later.y[1:3], expected[1:3])
        assert c.reset(stream) == 0
        assert c.feed(stream, x, later.y) == 0
        assert np.array_equal(later.y, expected)
        c.free(model, stream)


class TestModels:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_a_file(self, c, dtype, tmp_path):
        model = lstm(dtype)
        model.save(tmp_path / "größe.safetensors")
        opened = c.open(tmp_path / "größe.safetensors")
        number = {"float32": 1, "float64": 2}[dtype]
        assert c.sizes(opened) == [number, number, WIDTH, 3, 0, 1]
        stream = c.stream(opened, 1, 1, STEPS)
        c.free(model=opened)
        x = np.random.default_rng(0).standard_normal((1, STEPS, WIDTH)).astype(dtype)
        out = Outputs(1, STEPS, 3, dtype=dtype)
        assert c.feed(stream, x, out.y) == 0
        assert np.array_equal(out.y, model.freeze().stream().feed(x))
        assert c.free(stream=stream) == 0

    def test_a_frozen_file(self, c, tmp_path):
        frozen = lstm().freeze()
        frozen.save(tmp_path / "frozen.safetensors")
        model = c.open(tmp_path / "frozen.safetensors")
        stream, out = c.stream(model, 1, 1, STEPS), Outputs(1, STEPS, 3)
        x = np.random.default_rng(0).standard_normal((1, STEPS, WIDTH)).astype("float32")
        assert c.feed(stream, x, out.y) == 0
        assert np.array_equal(out.y, frozen.stream().feed(x))
        c.free(model, stream)

    def test_sizes_of_indices(self, c):
        model = c.from_python(model_of("words").freeze())
        assert c.sizes(model) == [3, 1, 1, 2, WORDS, 0]
        c.free(model)

    def test_sizes_of_null(self, c):
        assert c.sizes(None) == [0] * 6

    def test_long_sequences_of_many_rows(self, c):
        """More than goes through all layers at a time, and shapes whose memory is not that of the largest."""
        frozen = lstm(units=40).freeze()
        x = np.random.default_rng(0).standard_normal((700, 30, WIDTH)).astype("float32")
        model = c.from_python(frozen)
        stream = c.stream(model, 700, 700, 6000, 2)
        for rows, steps in ((700, 30), (3, 7000 // 3), (1, 6000), (2, 30), (50, 60), (5, 100)):
            part = ready(np.resize(x, (rows, steps, WIDTH)))
            out = Outputs(rows, steps, 3)
            assert c.reset(stream) == 0
            assert c.feed(stream, part, out.y) == 0
            assert np.array_equal(out.y, frozen.stream(rows).feed(part))
            assert out.guards_hold()
            assert c.predict(stream, part, out.y) == 0
            assert np.array_equal(out.y, frozen(part))
        c.free(model, stream)

    def test_handles_keep_what_they_need(self, c):
        model = c.from_python(lstm().freeze())
        stream = c.stream(model, 1, 1, 1)
        c.free(model)
        x, out = np.ones((1, WIDTH), "float32"), Outputs(1, 3)
        assert c.step(stream, x, out.y) == 0
        assert np.array_equal(out.y, lstm().freeze().stream().step(x))
        c.free(stream=stream)

    def test_freed_memory(self, c):
        """A handle's reference to the weights ends with it."""
        frozen = lstm().freeze()
        weights = weakref.ref(frozen.network.layers[1].variables[0].data)
        model = c.from_python(frozen)
        stream = c.stream(model, 1, 1, 1)
        del frozen
        gc.collect()
        assert weights() is not None
        c.free(model, stream)
        gc.collect()
        assert weights() is None


class TestThreads:
    def test_a_stream_each_while_the_gil_is_held(self, c):
        """Threads that Python does not know; if one wanted the GIL, this would never end."""
        count, steps = 6, 500
        frozen = lstm(units=30).freeze()
        model = c.from_python(frozen)
        streams = [c.stream(model, 1, 1, 1) for _ in range(count)]
        x = np.random.default_rng(0).standard_normal((count, steps, WIDTH)).astype("float32")
        y = np.zeros((count, steps, 3), "float32")
        handles = np.array([stream.value for stream in streams], np.uintp)
        where = handles.ctypes.data, steps, 4 * WIDTH, 12, x.ctypes.data, y.ctypes.data
        assert c.holding.check_threads(count, *where) == 0
        assert np.array_equal(y, frozen.stream(count).feed(x))
        for stream in streams:
            assert c.free(stream=stream) == 0
        c.free(model)

    def test_one_stream_for_two_is_busy_or_right(self, c):
        """What is refused has done nothing, so that the steps that went through are those of one session."""
        frozen = lstm(units=30).freeze()
        model = c.from_python(frozen)
        stream, x = c.stream(model, 1, 1, 1), np.ones((1, WIDTH), "float32")
        codes: list[int] = []

        def work() -> None:
            out = Outputs(1, 3)
            codes.extend(c.step(stream, x, out.y) for _ in range(3000))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(codes) <= {0, CODES["BUSY"]}
        out, mine = Outputs(1, 3), frozen.stream()
        for _ in range(codes.count(0)):
            mine.step(x)
        assert c.step(stream, x, out.y) == 0
        assert np.array_equal(out.y, mine.step(x))
        c.free(model, stream)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the counter takes the place of glibc's functions")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["stack", "residual", "LSTM", "large"])
def test_nothing_is_allocated(name, threads, tmp_path):
    compile_c(FOLDER / "checks.c", tmp_path / "checks.so", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pthread")
    compile_c(FOLDER / "count_allocations.c", tmp_path / "count.so", "-fno-builtin", "-Wno-pedantic")
    model = lstm(units=128) if name == "large" else model_of(name)
    model.save(tmp_path / "model.safetensors")
    run = subprocess.run(
        [sys.executable, "-m", "tests.serving.capi.check_allocations", str(tmp_path / "checks.so"),
         str(tmp_path / "model.safetensors"), str(threads)],
        capture_output=True, text=True, cwd=Path(__file__).parents[3],
        env={**os.environ, "LD_PRELOAD": str(tmp_path / "count.so"),
             "PYTHONPATH": os.pathsep.join([str(Path(fastrnn.__file__).parents[1]), str(Path(__file__).parents[3])])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    counted, made = map(int, run.stdout.split())
    assert counted == 0
    assert made > 0
