# SPDX-License-Identifier: Apache-2.0
"""The C interface: the bits of Python's streams, what is refused, no allocation, threads, and headers of C and C++."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, Sequential
from fastrnn import layers as L
from tests.serving.capi.library import CODES, FOLDER, Library, compile_c
from tests.serving.recipes import STREAMS, WIDTH, WORDS, input_of, model_of

SLOTS, STEPS = 4, 9
HEADER = (Path(fastrnn.get_include()) / "fastrnn.h").read_text("utf-8")
IN_PYTHON = {"convolution": "Conv1D", "normalization": "UnitNormalization", "MinGRU": "Dense"}      # and what runs there


@pytest.fixture(scope="module")
def c(tmp_path_factory) -> Library:
    path = tmp_path_factory.mktemp("capi") / "checks.so"
    compile_c(FOLDER / "checks.c", path, "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pthread")
    library = Library(path)
    assert library.holding.check_import() == 0
    return library


def ready(x: np.ndarray, dtype: str = "float32") -> np.ndarray:
    """An input as C has it."""
    return np.ascontiguousarray(x, dtype if x.dtype.kind == "f" else "int32")


def lstm(dtype: str = "float32", units: int = 6) -> Any:
    fastrnn.utils.set_random_seed(1)
    return Sequential([Input((None, WIDTH), dtype=dtype), L.LSTM(units, return_sequences=True, dtype=dtype),
                       L.Dense(3, dtype=dtype)])


class Outputs:
    """An array that C writes to, between others that it must not touch."""

    def __init__(self, *shape: int, dtype: str = "float32") -> None:
        self.size = int(np.prod(shape))
        self.all = np.full(self.size + 64, -7, dtype)
        self.y = self.all[32:32 + self.size].reshape(shape)

    def untouched(self) -> bool:
        return bool((self.all == -7).all())

    def guards_hold(self) -> bool:
        return bool((self.all[:32] == -7).all() and (self.all[32 + self.size:] == -7).all())


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
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "LD_PRELOAD": str(tmp_path / "count.so"),
             "PYTHONPATH": os.pathsep.join([str(Path(fastrnn.__file__).parents[1]), str(Path(__file__).parents[2])])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    counted, made = map(int, run.stdout.split())
    assert counted == 0
    assert made > 0


class TestHeader:
    @pytest.mark.parametrize("compiler", ["gcc", "g++", "clang", "clang++"])
    @pytest.mark.parametrize("standard", [99, 11, 17])
    def test_compiles_without_a_warning(self, compiler, standard, tmp_path):
        if compiler.startswith("clang") and shutil.which(compiler) is None:
            pytest.skip("GCC's are enough where there is no Clang")
        cpp = compiler.endswith("++")
        if cpp and standard == 99:
            standard = 20
        source = tmp_path / f"probe.{'cpp' if cpp else 'c'}"
        source.write_text('#include <fastrnn.h>\nint probe(void);\nint probe(void) { return fastrnn_import(); }\n')
        compile_c(source, tmp_path / "probe.so", f"-std={'c++' if cpp else 'c'}{standard}", compiler=compiler)

    def test_every_code_has_a_text(self, c):
        codes = {name: int(value) for name, value in re.findall(r"^  FASTRNN_(\w+) = (\d+),?$", HEADER, re.MULTILINE)}
        assert codes == CODES
        texts = [c.library.check_error_text(code).decode() for code in codes.values()]
        assert len(set(texts)) == len(codes)
        assert c.library.check_error_text(99).decode() == "no code of fastrnn's"
        assert not {"no code of fastrnn's", ""} & set(texts)

    def test_the_pxd_declares_all(self):
        declared = (Path(fastrnn.__file__).parent / "capi.pxd").read_text("utf-8")
        public = set(re.findall(r"\b(fastrnn_\w+)\(", HEADER)) | set(re.findall(r"\b(FASTRNN_\w+) = ", HEADER))
        inner = {"fastrnn_take_capsule", "fastrnn_failure", "fastrnn_call", "fastrnn_take_error"}
        assert {name for name in public - inner if not re.search(rf"\b{name}\b", declared)} == set()

    def test_another_version_is_refused(self, c, tmp_path):
        """An extension that was compiled for a later header."""
        (tmp_path / "include").mkdir()
        (tmp_path / "include" / "fastrnn.h").write_text(
            HEADER.replace("#define FASTRNN_VERSION 1", "#define FASTRNN_VERSION 2"), "utf-8")
        compile_c(FOLDER / "checks.c", tmp_path / "later.so", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pthread",
                  include=tmp_path / "include")
        with pytest.raises(ImportError, match="compiled for version 2 of fastrnn's C interface, and found 1"):
            Library(tmp_path / "later.so").holding.check_import()


@pytest.mark.skipif(shutil.which("rustc") is None, reason="there is no Rust compiler")
def test_rust(c, tmp_path):
    """A language without C's headers has the structs and what they point to."""
    run = subprocess.run(["rustc", "--crate-type", "cdylib", "-O", "-A", "dead_code", str(FOLDER / "steps.rs"), "-o",
                          str(tmp_path / "steps.so")], capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr
    rust = ctypes.CDLL(str(tmp_path / "steps.so"))
    frozen = lstm().freeze()
    model = c.from_python(frozen)
    stream = c.stream(model, 1, 1, 1)
    x, out = np.random.default_rng(0).standard_normal((1, 20, WIDTH)).astype("float32"), Outputs(1, 20, 3)
    number = ctypes.c_int64
    assert rust.rust_steps(stream, number(20), number(WIDTH), number(3), ctypes.c_void_p(x.ctypes.data),
                           ctypes.c_void_p(out.y.ctypes.data)) == 0
    assert np.array_equal(out.y, frozen.stream().feed(x))
    c.free(model, stream)
