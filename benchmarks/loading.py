# SPDX-License-Identifier: Apache-2.0
"""How long a model of 100 MB takes to load, by fastrnn and by Keras: `python benchmarks/loading.py`.

Each program loads each file in a process of its own, which has loaded a small file of the same format before, so that
what is imported once does not count; medians of five processes, in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import json, os, sys, time
program, large, small = sys.argv[1:]
if program == "keras":
    os.environ.setdefault("KERAS_BACKEND", "jax")
    from keras.saving import load_model
else:
    from fastrnn.saving import load_model
load_model(small)
start = time.perf_counter()
model = load_model(large)
print(json.dumps([(time.perf_counter() - start) * 1e3, model.count_params()]))
"""


def main() -> None:
    import fastrnn
    from fastrnn.layers import LSTM, Dense, Embedding

    root = str(Path(fastrnn.__file__).parents[1])
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for size, words, units in (("small", 10, 4), ("large", 68_000, 512)):
            model = fastrnn.Sequential([fastrnn.Input((None,)), Embedding(words, 320), LSTM(units),
                                        Dense(words // 20 + 1)])
            for suffix in (".safetensors", ".keras"):
                files[size, suffix] = os.path.join(folder, size + suffix)
                model.save(files[size, suffix])
        cases = [("fastrnn", ".safetensors"), ("fastrnn", ".keras"), ("keras", ".keras")]
        times: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
        for _ in range(5):
            for program, suffix in cases:
                arguments = [program, files["large", suffix], files["small", suffix]]
                run = subprocess.run([sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True,
                                     check=True, env={**os.environ, "PYTHONPATH": root})
                times[program, suffix].append(json.loads(run.stdout.splitlines()[-1])[0])
        print(f"{os.path.getsize(files['large', '.keras']) / 1e6:.0f} MB")
        for (program, suffix), values in times.items():
            print(f"{program:8} {suffix:13} {statistics.median(values):8.1f} ms")


if __name__ == "__main__":
    main()
