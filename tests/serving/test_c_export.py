# SPDX-License-Identifier: Apache-2.0
"""Models as C: compiled by two compilers with all warnings and sanitizers, they give what fastrnn gives."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest

from fastrnn.serving import export_c
from tests.serving.c_models import MODELS, outputs_by_step, randomized, sample

COMPILERS = ("gcc", "clang")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion", "-Wshadow"]
SANITIZED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
STEPS = 9

#: Runs a model step by step, then as a whole sequence: what is read are the inputs, what is written the outputs.
RUN = """
static int run_{name}(void)
{{
    static {name}_state state, other;
{buffers}
    {name}_init(&state);
    {name}_init(&other);
    for (size_t t = 0; t < STEPS; t++) {{
        if ({name}_step(&state, {at_step}) != 0)
            return 1;
{written}    }}
    if ({name}_predict(&other, {whole}, STEPS, {whole_out}) != 0)
        return 2;
{predicted}    return 0;
}}
"""


def compiler(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is not installed, and these tests compile by it: apt-get install {name}"
    return path


def compiled(name: str, folder, *arguments: str) -> str:
    """A program of these files and options; whatever a compiler says is an error."""
    target = os.path.join(folder, f"program-{name}")
    run = subprocess.run([compiler(name), *arguments, "-lm", "-o", target], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0 and not run.stderr, run.stderr[:4000]
    return target


def runner(name: str, model, xs) -> str:
    """The C function that runs an exported model."""
    many = len(xs) > 1
    tails = [f"_{layer.name}" if many else "" for layer in (symbol.node.layer for symbol in model.inputs)]
    given = [f"x{tail}" for tail in tails]
    kinds = ["int32_t" if x.dtype.kind == "i" else "float" for x in xs]
    ends = [f"_{end}" for end in model.output_names] if len(model.outputs) > 1 else [""]
    made = [f"y{index}" for index in range(len(ends))]
    sizes = [f"{name.upper()}_OUTPUT{identifier(end).upper()}" for end in ends]
    steps = ["STEPS * " if symbol.shape[1] is None else "" for symbol in model.inputs]
    widths = [f"{name.upper()}_INPUT{identifier(tail).upper()}" for tail in tails]
    buffers = [f"    static {kind} {identifier(x)}[{step}{width}];\n    if (fread({identifier(x)}, sizeof *"
               f"{identifier(x)}, {step}{width}, stdin) != {step}{width})\n        return 3;"
               for kind, x, step, width in zip(kinds, given, steps, widths)]
    buffers += [f"    static float {y}[{'STEPS * ' if len(symbol.shape) == 3 else ''}{size}];"
                for y, size, symbol in zip(made, sizes, model.outputs)]
    moved = [f"{identifier(x)} + t * {width}" if step else identifier(x) for x, step, width in zip(given, steps, widths)]
    return RUN.format(
        name=name, buffers="\n".join(buffers), at_step=", ".join([*moved, *made]),
        written="".join(f"        fwrite({y}, sizeof *{y}, {size}, stdout);\n" for y, size in zip(made, sizes)),
        whole=", ".join(map(identifier, given)), whole_out=", ".join(made),
        predicted="".join(f"    fwrite({y}, sizeof *{y}, sizeof {y} / sizeof *{y}, stdout);\n" for y in made))


def identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


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
            runners.append(runner(name.lower(), model, xs))
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
    def test_optimized_and_with_fast_math(self, name, exported):
        """A program may ask for it."""
        exported.check(compiled(name, exported.folder, "-O2", "-ffast-math", "main.c"))
