# SPDX-License-Identifier: Apache-2.0
"""A step of a model exported as C, timed in C."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stepping.cases import NEAR, Case

BLOCK = 50          # steps between two looks at the clock: so few that most blocks are not interrupted
#: Reads inputs; writes the outputs of their steps, then the seconds of each block.
TIMER = r"""
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "step.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int count, char **arguments) {     /* steps, steps of a block, blocks */
  static step_state state;
  float y[STEP_OUTPUT];
  int steps = atoi(arguments[1]), block = atoi(arguments[2]), blocks = atoi(arguments[3]);
  float *x = malloc(sizeof(float) * STEP_INPUT * steps);
  if (count != 4 || fread(x, sizeof(float), (size_t)STEP_INPUT * steps, stdin) != (size_t)STEP_INPUT * steps) return 1;
  step_init(&state);
  for (int t = 0; t < steps; t++) {
    step_step(&state, x + t * STEP_INPUT, y);
    fwrite(y, sizeof(float), STEP_OUTPUT, stdout);
  }
  for (int b = 0; b < blocks; b++) {
    double start = now();
    for (int t = 0; t < block; t++) step_step(&state, x, y);
    double taken = now() - start;
    fwrite(&taken, sizeof(double), 1, stdout);
  }
  return 0;
}
"""


def exported(model: Any, case: Case, seconds: float) -> float | None:
    """Seconds of a step, the median of some blocks; None without a C compiler.

    Raises ArithmeticError if a step is not what the formula gives.
    """
    from fastrnn.serving.c_export import export_c

    compiler = os.environ.get("CC", "").split() or [shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")]
    if compiler[0] is None:
        return None
    inputs, expected = case.inputs()[:, 0], case.outputs()[:, 0]
    with tempfile.TemporaryDirectory() as folder:
        export_c(model, Path(folder, "step"))
        Path(folder, "timer.c").write_text(TIMER)
        subprocess.run([*compiler, "-std=c99", "-O3", "-march=native", "step.c", "timer.c", "-o", "timer", "-lm"],
                       cwd=folder, check=True, capture_output=True)

        def run(blocks: int) -> np.ndarray:
            done = subprocess.run([str(Path(folder, "timer")), str(len(inputs)), str(BLOCK), str(blocks)], check=True,
                                  input=inputs.tobytes(), capture_output=True)
            y = np.frombuffer(done.stdout[:4 * expected.size], "float32").reshape(expected.shape)
            if not np.abs(y - expected).max() <= NEAR:
                raise ArithmeticError("the exported steps are not what the formula gives")
            return np.frombuffer(done.stdout[4 * expected.size:], "float64")

        blocks = max(5, int(seconds / np.median(run(5))))
        return float(np.median(run(blocks))) / BLOCK
