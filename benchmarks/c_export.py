# SPDX-License-Identifier: Apache-2.0
"""A step of an exported model beside keras2c and RTNeural: an LSTM and a Dense on streams of frames, one at a time.

    git clone https://github.com/f0uriest/keras2c
    git clone --recursive https://github.com/jatinchowdhury18/RTNeural
    python benchmarks/c_export.py --keras2c keras2c --rtneural RTNeural

A peer whose folder is not given is left out; RTNeural runs with each backend that its folder has. All have the same
weights and compiler options, and their last output must be the same. The programs take turns; a time is the least of
some rounds.
"""

from __future__ import annotations

import argparse
import glob
import os
import subprocess
import tempfile
from typing import Any

import numpy as np

from fastrnn import Input, Sequential
from fastrnn.layers import LSTM, Dense
from fastrnn.serving import export_c

STEPS = 2000

#: Around what each library does with x and y: `ready` once, `step` for each frame.
MAIN = """
#include <stdio.h>
#include <time.h>
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
int main()
{
    static float x[STEPS * INPUT], y[OUTPUT];
    unsigned bits = 1;
    for (int i = 0; i < STEPS * INPUT; i++) {
        bits = bits * 1664525u + 1013904223u;
        x[i] = (float)(bits >> 8) / 8388608.0f - 1.0f;
    }
    double best = 1.0;
    for (int round = 0; round < 20; round++) {
        ready();
        const double start = seconds();
        for (int t = 0; t < STEPS; t++)
            step(x + t * INPUT, y);
        const double took = (seconds() - start) / STEPS;
        best = took < best ? took : best;
    }
    printf("%.3f %.7g\\n", 1e9 * best, y[0]);
    return 0;
}
"""

FASTRNN = """
#include "model.h"
static model_state state;
static void ready(void) { model_init(&state); }
static void step(const float *x, float *y) { model_step(&state, x, y); }
"""

# keras2c's kernels have the gates i, f, c, o one after the other, each (inputs, units).
KERAS2C = """
#include <string.h>
#include "k2c_include.h"
#include "weights.h"
static float state[2 * UNITS], work[8 * UNITS + 4 * OUTPUT], hidden[UNITS];
static k2c_tensor kernel = {gates_kernel, 2, sizeof gates_kernel / 4, {4 * INPUT, UNITS, 1, 1, 1}};
static k2c_tensor recurrent = {gates_recurrent, 2, sizeof gates_recurrent / 4, {4 * UNITS, UNITS, 1, 1, 1}};
static k2c_tensor bias = {lstm_bias, 1, 4 * UNITS, {4 * UNITS, 1, 1, 1, 1}};
static k2c_tensor dense = {dense_kernel, 2, UNITS * OUTPUT, {UNITS, OUTPUT, 1, 1, 1}};
static k2c_tensor dense_b = {dense_bias, 1, OUTPUT, {OUTPUT, 1, 1, 1, 1}};
static void ready(void) { memset(state, 0, sizeof state); }
static void step(float *x, float *y)
{
    k2c_tensor in = {x, 2, INPUT, {1, INPUT, 1, 1, 1}}, h = {hidden, 1, UNITS, {UNITS, 1, 1, 1, 1}};
    k2c_tensor flat = {hidden, 2, UNITS, {1, UNITS, 1, 1, 1}}, out = {y, 2, OUTPUT, {1, OUTPUT, 1, 1, 1}};
    k2c_lstm(&h, &in, state, &kernel, &recurrent, &bias, work, 0, 0, k2c_sigmoid, k2c_tanh);
    k2c_dense(&out, &flat, &dense, &dense_b, k2c_linear, work);
}
"""

RTNEURAL = """
#include <RTNeural/RTNeural.h>
#include "weights.h"
static RTNeural::ModelT<float, INPUT, OUTPUT, RTNeural::LSTMLayerT<float, INPUT, UNITS>,
                        RTNeural::DenseT<float, UNITS, OUTPUT>> model;
static std::vector<std::vector<float>> rows(const float *values, int count, int width)
{
    std::vector<std::vector<float>> found;
    for (int i = 0; i < count; i++)
        found.emplace_back(values + i * width, values + (i + 1) * width);
    return found;
}
static void ready()
{
    model.get<0>().setWVals(rows(lstm_kernel, INPUT, 4 * UNITS));
    model.get<0>().setUVals(rows(lstm_recurrent, UNITS, 4 * UNITS));
    model.get<0>().setBVals(std::vector<float>(lstm_bias, lstm_bias + 4 * UNITS));
    model.get<1>().setWeights(rows(dense_transposed, OUTPUT, UNITS));
    model.get<1>().setBias(dense_bias);
    model.reset();
}
static void step(const float *x, float *y)
{
    alignas(64) float frame[INPUT];
    for (int i = 0; i < INPUT; i++)
        frame[i] = x[i];
    model.forward(frame);
    for (int i = 0; i < OUTPUT; i++)
        y[i] = model.getOutputs()[i];
}
"""


def weights_text(model: Any) -> str:
    """The weights as C arrays, in the layouts of both libraries."""
    kernel, recurrent, bias, dense_kernel, dense_bias = (weight.data for weight in model.weights)
    gates = {"gates_kernel": np.concatenate(np.split(kernel, 4, 1)),
             "gates_recurrent": np.concatenate(np.split(recurrent, 4, 1))}
    arrays = {"lstm_kernel": kernel, "lstm_recurrent": recurrent, "lstm_bias": bias, "dense_kernel": dense_kernel,
              "dense_transposed": dense_kernel.T, "dense_bias": dense_bias, **gates}
    words = {name: ", ".join(f"{value:.9e}f" for value in values.reshape(-1).tolist())
             for name, values in arrays.items()}
    return "".join(f"static float {name}[] = {{{numbers}}};\n" for name, numbers in words.items())


def programs(folder: str, options: argparse.Namespace, inputs: int) -> dict[str, str]:
    """Each library's program, compiled."""
    model = Sequential([Input((None, inputs)), LSTM(options.units, return_sequences=True), Dense(1)])
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(-0.3, 0.3, weight.shape))
    export_c(model, os.path.join(folder, "model"))
    with open(os.path.join(folder, "weights.h"), "w") as file:
        file.write(weights_text(model))
    sizes = [f"-DSTEPS={STEPS}", f"-DINPUT={inputs}", f"-DUNITS={options.units}", "-DOUTPUT=1"]
    common = [*options.flags.split(), *sizes, f"-I{folder}"]

    def build(name: str, source: str, *arguments: str, language: str = "c") -> str:
        path, target = (os.path.join(folder, f"{name.replace(' ', '_')}{end}") for end in (f".{language}", ""))
        with open(path, "w") as file:
            file.write(source + MAIN)
        compiler = [options.cc, "-std=gnu11"] if language == "c" else [options.cxx, "-std=c++17"]
        subprocess.run([*compiler, "-w", *common, path, *arguments, "-lm", "-o", target], check=True)
        return target

    found = {"fastrnn": build("fastrnn", FASTRNN, os.path.join(folder, "model.c"))}
    if options.keras2c:
        include = os.path.join(options.keras2c, "include")
        found["keras2c"] = build("keras2c", KERAS2C, f"-I{include}", *glob.glob(os.path.join(include, "*.c")))
    for backend in ("STL", "Eigen", "xsimd") if options.rtneural else ():
        modules = os.path.join(options.rtneural, "modules")
        if backend != "STL" and not os.path.isdir(os.path.join(modules, backend, backend if backend == "Eigen" else
                                                               "include")):
            continue
        name = f"RTNeural {backend}"
        found[name] = build(name, RTNEURAL, f"-DRTNEURAL_USE_{backend.upper()}=1", "-DRTNEURAL_DEFAULT_ALIGNMENT=32",
                            f"-I{options.rtneural}", f"-I{modules}/Eigen", f"-I{modules}/json",
                            f"-I{modules}/xsimd/include", language="cpp")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keras2c", metavar="FOLDER", help="keras2c's repository")
    parser.add_argument("--rtneural", metavar="FOLDER", help="RTNeural's repository, with its submodules")
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--inputs", type=int, nargs="+", default=[1, 32], help="features of a frame")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cc", default="gcc")
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--flags", default="-O3 -march=native")
    options = parser.parse_args()
    print(f"{options.cc} {options.flags}: nanoseconds a step, least of {options.rounds} rounds")
    for inputs in options.inputs:
        with tempfile.TemporaryDirectory() as folder:
            built = programs(folder, options, inputs)
            best, last = dict.fromkeys(built, np.inf), {}
            for _ in range(options.rounds):
                for name, program in built.items():
                    took, y = map(float, subprocess.run([program], check=True, capture_output=True).stdout.split())
                    best[name], last[name] = min(best[name], took), y
        for name, took in best.items():
            print(f"{inputs:4d} -> LSTM({options.units}) -> 1  {name:15s} {took:8.0f}  {took / best['fastrnn']:6.2f} "
                  f"times fastrnn's, last output {last[name]:.6g}")
        apart = max(abs(y - last["fastrnn"]) for y in last.values())
        print(f"     largest difference of the last output: {apart:.2g}")


if __name__ == "__main__":
    main()
