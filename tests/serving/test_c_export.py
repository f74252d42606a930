# SPDX-License-Identifier: Apache-2.0
"""Models as C: compiled by two compilers with all warnings and sanitizers, they give what fastrnn gives."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import Input, Sequential
from fastrnn.__main__ import main
from fastrnn.layers import GRU, LSTM, Activation, Bidirectional, Conv1D, Dense, MinGRU
from fastrnn.serving import export_c
from fastrnn.serving.c_export.source import literal
from tests.serving.c_compilers import COMPILERS, SANITIZED, STRICT, compiled, compiler
from tests.serving.c_models import MODELS, line, outputs_by_step, randomized, sample

STEPS = 9

#: Runs a model step by step, then as a whole sequence: what is read are the inputs, what is written the outputs.
RUN = """
static int run_{name}(void)
{{
    static {name}_state state, other;
{buffers}
    {name}_init(&state);
    for (size_t t = 0; t < STEPS; t++) {{
        if ({name}_step(&state, {at_step}) != 0)
            return 1;
{written}    }}
    if ({name}_predict(&other, {whole}) != 0)
        return 2;
{predicted}    return 0;
}}
"""


def runner(name: str, model, xs, header: str) -> str:
    """The C function that runs an exported model, by the sizes that its header has."""
    inputs, outputs = (re.findall(rf"#define ({name.upper()}_{kind}\w*) ", header) for kind in ("INPUT", "OUTPUT"))
    buffers, step, whole, made, written, predicted = [], [], [], [], "", ""
    for index, (size, x, symbol) in enumerate(zip(inputs, xs, model.inputs, strict=True)):
        kind, sequence = "int32_t" if x.dtype.kind == "i" else "float", symbol.shape[1] is None
        count = f"STEPS * {size}" if sequence else size
        buffers += [f"    static {kind} x{index}[{count}];",
                    f"    if (fread(x{index}, sizeof *x{index}, {count}, stdin) != {count})", "        return 3;"]
        step.append(f"x{index} + t * {size}" if sequence else f"x{index}")
        whole.append(f"x{index}")
    for index, (size, symbol) in enumerate(zip(outputs, model.outputs, strict=True)):
        buffers.append(f"    static float y{index}[{'STEPS * ' if len(symbol.shape) == 3 else ''}{size}];")
        written += f"        fwrite(y{index}, sizeof *y{index}, {size}, stdout);\n"
        predicted += f"    fwrite(y{index}, sizeof y{index}, 1, stdout);\n"
        made.append(f"y{index}")
    return RUN.format(name=name, buffers="\n".join(buffers), at_step=", ".join([*step, *made]), written=written,
                      whole=", ".join([*whole, "STEPS", *made]), predicted=predicted)


class Exported:
    """All models in one folder, what goes into them, and what fastrnn makes of it."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.inputs, self.expected, runners = b"", {}, []
        for number, (name, make) in enumerate(MODELS.items()):
            model = randomized(make(), number)
            xs = sample(model, STEPS, np.random.default_rng(number))
            export_c(model, folder / name.lower())
            self.inputs += b"".join(x.tobytes() for x in xs)
            ys = outputs_by_step(model, xs)
            whole = [y if len(symbol.shape) == 3 else y[-1:] for y, symbol in zip(ys, model.outputs)]
            self.expected[name] = ys, whole
            runners.append(runner(name.lower(), model, xs, (folder / f"{name.lower()}.h").read_text()))
        names = [name.lower() for name in MODELS]
        # In one translation unit: no name is another model's.
        (folder / "main.c").write_text(
            "#include <stdio.h>\n" + "".join(f'#include "{name}.c"\n' for name in names) + f"#define STEPS {STEPS}u\n"
            + "".join(runners) + "\nint main(void)\n{\n    int failed = 0;\n"
            + "".join(f"    failed = failed ? failed : run_{name}();\n" for name in names)
            + "    return failed;\n}\n")

    def check(self, program: str, tolerance: float = 1e-5) -> None:
        run = subprocess.run([program], input=self.inputs, capture_output=True)
        assert run.returncode == 0, run.stderr.decode()[:4000]
        values, start, wrong = np.frombuffer(run.stdout, np.float32), 0, {}
        for name, (ys, whole) in self.expected.items():
            widths = [y.shape[1] for y in ys]
            steps = values[start:start + STEPS * sum(widths)].reshape(STEPS, sum(widths))
            start += steps.size
            found = [*np.split(steps, np.cumsum(widths)[:-1], axis=1)]
            for y in whole:
                found.append(values[start:start + y.size].reshape(y.shape))
                start += y.size
            expected = [*ys, *whole]
            off = max(float(np.max(np.abs(one - other) / np.maximum(1, np.abs(other))))
                      for one, other in zip(found, expected, strict=True))
            if not off <= tolerance:
                wrong[name] = off
        assert start == values.size
        assert not wrong


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return Exported(tmp_path_factory.mktemp("c"))


class TestModels:
    @pytest.mark.parametrize("name", COMPILERS)
    def test_give_what_fastrnn_gives(self, name, exported):
        exported.check(compiled(name, exported.folder, *STRICT, *SANITIZED, "main.c"))

    @pytest.mark.parametrize("name", COMPILERS)
    def test_as_vectors_and_with_fast_math(self, name, exported):
        """A program may ask for it."""
        exported.check(compiled(name, exported.folder, "-O3", "-march=native", "-ffast-math", "main.c"))


def random_line(*layers):
    return randomized(line(*layers))


class Library:
    """An exported model in this process, by the C compiler that is there."""

    def __init__(self, model, folder, name: str = "m", **options) -> None:
        source, self.header = export_c(model, folder / f"{name}.c", **options)
        target = os.path.join(folder, f"{name}.so")
        subprocess.run([compiler("gcc"), *STRICT, "-O1", "-shared", "-fPIC", source, "-lm", "-o", target], check=True)
        self.functions, self.prefix = ctypes.CDLL(target), options.get("prefix", name)

    def call(self, name: str, *arguments) -> int:
        """A function, with arrays as pointers."""
        function = getattr(self.functions, f"{self.prefix}_{name}")
        return function(*[one.ctypes.data_as(ctypes.c_void_p) if isinstance(one, np.ndarray) else one
                          for one in arguments])

    def state(self) -> np.ndarray:
        """A new state, of random bytes until it begins."""
        state = np.random.default_rng(0).integers(0, 255, 1 << 12).astype(np.uint8)
        self.call("init", state)
        return state


class TestFunctions:
    def test_streams_know_nothing_of_each_other(self, tmp_path):
        library = Library(random_line(Conv1D(3, 3, padding="causal"), LSTM(4)), tmp_path)
        xs = np.random.default_rng(1).normal(0, 1, (2, 6, 5)).astype(np.float32)
        alone, mixed = np.zeros((2, 6, 4), np.float32), np.zeros((2, 6, 4), np.float32)
        for x, y in zip(xs, alone):
            state = library.state()
            for t in range(6):
                library.call("step", state, x[t], y[t])
        states = [library.state(), library.state()]
        for t in range(6):
            for state, x, y in zip(states, xs, mixed):
                library.call("step", state, x[t], y[t])
        assert np.array_equal(alone, mixed)
        assert not np.array_equal(alone[0], alone[1])

    @pytest.mark.parametrize("index", [-1, 11, 2 ** 31 - 1, -2 ** 31])
    def test_an_index_outside_the_table_changes_nothing(self, index, tmp_path):
        library = Library(randomized(MODELS["words"]()), tmp_path)
        state, y = library.state(), np.full((3, 11), 7, np.float32)
        library.call("step", state, np.array([3], np.int32), y)
        before = state.copy(), y.copy()
        assert library.call("step", state, np.array([index], np.int32), y) == -1
        assert np.array_equal(before[0], state) and np.array_equal(before[1], y)
        assert library.call("step", state, np.array([10], np.int32), y) == 0
        assert library.call("predict", state, np.array([0, index, 0], np.int32), ctypes.c_size_t(3), y) == -1
        assert (y[0] != before[1][0]).all() and (y[1:] == 7).all()

    def test_long_sequences(self, tmp_path):
        """Nothing drifts apart, and rings of inputs go round many times."""
        model = random_line(Conv1D(4, 3, padding="causal", dilation_rate=3), LSTM(6, return_sequences=True),
                            GRU(5, return_sequences=True), MinGRU(4, return_sequences=True))
        library = Library(model, tmp_path)
        x = np.random.default_rng(0).normal(0, 1, (3000, 5)).astype(np.float32)
        y = np.zeros((3000, 4), np.float32)
        assert library.call("predict", library.state(), x, ctypes.c_size_t(3000), y) == 0
        np.testing.assert_allclose(y, model.predict_on_batch(x[None])[0], rtol=0, atol=1e-5)

    def test_no_steps(self, tmp_path):
        library = Library(random_line(LSTM(4)), tmp_path)
        state, y = library.state(), np.full(4, 7, np.float32)
        assert library.call("predict", state, np.zeros(5, np.float32), ctypes.c_size_t(0), y) == 0
        assert (y == 7).all()

    def test_extreme_inputs(self, tmp_path):
        """NaN goes on to what it reaches; infinities and large numbers saturate, as in fastrnn."""
        model = random_line(Dense(6), Activation("tanh"), GRU(3, return_sequences=True), Dense(4, "softmax"))
        library = Library(model, tmp_path)
        xs = np.zeros((5, 1, 5), np.float32)
        xs[0, 0, 1], xs[1, 0, 1], xs[2], xs[3, 0, 2], xs[4] = np.nan, np.inf, 1e30, -np.inf, 1e-40
        for x in xs:
            state, y = library.state(), np.zeros(4, np.float32)
            library.call("step", state, x[0], y)
            np.testing.assert_allclose(y, model.predict_on_batch(x[None])[0, 0], rtol=1e-5, atol=1e-6)
        assert np.isnan(model.predict_on_batch(xs[:1])).all()

    @pytest.mark.parametrize("name", ["sigmoid", "tanh", "softmax"])
    def test_activations_over_their_range(self, name, tmp_path):
        """To two roundings of the value, or of the smallest normal number."""
        x = np.concatenate([np.linspace(-110, 110, 4001), np.geomspace(1e-38, 1, 500), -np.geomspace(1e-38, 1, 500)])
        x = x.astype(np.float32)
        width = 1 if name != "softmax" else 2
        library = Library(Sequential([Input((None, width)), Activation(name)]), tmp_path)
        x = np.stack([x, np.zeros_like(x)], 1)[:, :width].copy()
        state, y = library.state(), np.zeros_like(x)
        library.call("predict", state, x, ctypes.c_size_t(len(x)), y)
        wide = x.astype(np.float64)
        with np.errstate(over="ignore"):
            exact = {"sigmoid": lambda: 1 / (1 + np.exp(-wide)), "tanh": lambda: np.tanh(wide),
                     "softmax": lambda: 1 / (1 + np.exp(wide[:, ::-1] - wide))}[name]()
        assert np.all(np.abs(y - exact) <= 4e-7 * np.abs(exact) + 1.7e-38)


class TestFiles:
    def test_names(self, tmp_path):
        model = random_line(LSTM(4), Dense(2))
        assert export_c(model, tmp_path / "2-tone.v1") == (f"{tmp_path}/2-tone.v1.c", f"{tmp_path}/2-tone.v1.h")
        assert sorted(os.listdir(tmp_path)) == ["2-tone.v1.c", "2-tone.v1.h"]
        header, text = ((tmp_path / f"2-tone.v1.{end}").read_text() for end in "hc")
        assert "#define N2_TONE_V1_INPUT 5 " in header and "#define N2_TONE_V1_OUTPUT 2 " in header
        assert "int n2_tone_v1_step(n2_tone_v1_state *state, const float *x, float *y);" in header
        assert '#include "2-tone.v1.h"' in text

    def test_prefix(self, tmp_path):
        export_c(random_line(LSTM(4)), str(tmp_path / "a.c"), prefix="Gain_2")
        assert "void Gain_2_init(Gain_2_state *state);" in (tmp_path / "a.h").read_text()

    @pytest.mark.parametrize("prefix", ["", "2a", "a-b", "ä", "a b", "a;"])
    def test_bad_prefix(self, prefix, tmp_path):
        with pytest.raises(ValueError, match="export_c prefix: expected a name in C"):
            export_c(random_line(LSTM(4)), tmp_path / "a", prefix=prefix)
        assert os.listdir(tmp_path) == []

    def test_same_model_same_bytes(self, tmp_path):
        model = randomized(MODELS["residual"]())
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            export_c(model, tmp_path / folder / "m")
        assert (tmp_path / "a" / "m.c").read_bytes() == (tmp_path / "b" / "m.c").read_bytes()

    def test_text_is_plain_and_narrow(self, tmp_path):
        """No name of a layer gets out of its comment, and no line is too long to read."""
        for name in ("shared", "stack"):
            export_c(randomized(MODELS[name]()), tmp_path / name)
            for end in "hc":
                text = (tmp_path / f"{name}.{end}").read_bytes()
                assert text.isascii() and b"\r" not in text and text.endswith(b"\n")
                assert max(map(len, text.splitlines())) <= 140
                assert text.count(b"/*") == text.count(b"*/")

    def test_nothing_but_the_mathematical_library(self, tmp_path):
        """No allocation, no state of the program, no names but the three functions'."""
        export_c(randomized(MODELS["gates"]()), tmp_path / "m")
        subprocess.run([compiler("gcc"), "-O1", "-c", "m.c"], cwd=tmp_path, check=True)
        symbols = subprocess.run(["nm", "m.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        kinds = {line.split()[-1]: line.split()[-2] for line in symbols.splitlines()}
        assert {name for name, kind in kinds.items() if kind.isupper() and kind != "U"} == {
            "m_init", "m_step", "m_predict"}
        assert not [name for name, kind in kinds.items() if kind in "bBdDC"]
        assert {name for name, kind in kinds.items() if kind == "U"} <= {
            "memcpy", "memset", "fabsf", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}

    @pytest.mark.parametrize("name", COMPILERS)
    def test_header_in_cpp(self, name, tmp_path):
        export_c(random_line(LSTM(4)), tmp_path / "m")
        (tmp_path / "main.cpp").write_text(
            '#include "m.h"\n#include "m.h"\nint main() { m_state state; float x[M_INPUT] = {}, y[M_OUTPUT]; '
            "m_init(&state); return m_step(&state, x, y); }\n")
        subprocess.run([compiler(name), *STRICT, "-c", "m.c"], cwd=tmp_path, check=True)
        program = compiled(name, tmp_path, "-x", "c++", "-Wall", "-Wextra", "-Werror", "main.cpp", "-x", "none", "m.o")
        assert subprocess.run([program]).returncode == 0

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no such folder"):
            export_c(random_line(LSTM(4)), tmp_path / "no" / "m")

    @given(st.integers(0, 2 ** 32 - 1))
    def test_numbers_read_back(self, bits):
        value = np.array(bits, np.uint32).view(np.float32)
        if np.isfinite(value):
            text = literal(float(value))
            assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?f", text) and ("." in text or "e" in text)
            assert np.float32(text[:-1]).tobytes() == value.tobytes()

    def test_numbers_read_back_by_compilers(self, tmp_path):
        rng = np.random.default_rng(0)
        weights = rng.integers(0, 2 ** 32, 4000, np.uint32).view(np.float32)
        weights = np.concatenate([weights[np.isfinite(weights)], np.float32([0, -0.0, 1e-45, 3.4028235e38, 1, 0.1])])
        model = Sequential([Input((None, 1)), Dense(len(weights))])
        model.set_weights([np.zeros((1, len(weights))), weights])
        export_c(model, tmp_path / "m")
        (tmp_path / "main.c").write_text('#include "m.c"\n#include <stdio.h>\nint main(void) { return '
                                         "fwrite(m_dense_bias, sizeof m_dense_bias, 1, stdout) != 1; }\n")
        text = re.sub(r"m_dense\w*_bias", "m_dense_bias", (tmp_path / "m.c").read_text())
        (tmp_path / "m.c").write_text(text)
        for name in COMPILERS:
            run = subprocess.run([compiled(name, tmp_path, *STRICT, "main.c")], capture_output=True, check=True)
            assert run.stdout == weights.tobytes()


class TestConversion:
    def test_command(self, tmp_path, capsys):
        model = random_line(LSTM(4, name="lstm"), Dense(2))
        model.save(tmp_path / "m.safetensors")
        main(["convert", str(tmp_path / "m.safetensors"), str(tmp_path / "meter.c")])
        assert "nothing is compared" in capsys.readouterr().out
        export_c(model, tmp_path / "other", prefix="meter")
        made, expected = ((tmp_path / name).read_text() for name in ("meter.c", "other.c"))
        assert made.replace("meter.h", "other.h") == expected

    def test_what_cannot_be_exported(self, tmp_path):
        Sequential([Input((None, 3)), Bidirectional(LSTM(4))]).save(tmp_path / "m.safetensors")
        with pytest.raises(SystemExit, match="fastrnn: .*has a direction that begins with the last time step"):
            main(["convert", str(tmp_path / "m.safetensors"), str(tmp_path / "m.c")])
        assert os.listdir(tmp_path) == ["m.safetensors"]
