# SPDX-License-Identifier: Apache-2.0
"""Fuzz the readers: `python -m tests.hostile.fuzz FORMAT RUNS [SEED]`; `targets.py` has the formats.

Good files are changed in their structure and in their bytes, and read. A model, or fastrnn's error, within a second and
64 MB; anything else is a fault. The file of a run that ended the process lies in the corpus, under the format's name;
what was found is kept there, and tried first the next time.
"""

from __future__ import annotations

import resource
import sys
import time
import warnings
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.database import DirectoryBasedExampleDatabase

from fastrnn.saving import ModelFileError
from tests.hostile.changes import Edit, edits
from tests.hostile.probe import memory_from_here, peak
from tests.hostile.targets import TARGETS

CORPUS = Path(__file__).with_name("corpus")
#: What a file may take: seconds of the processor, and bytes.
SECONDS, MEMORY = 1.0, 64 << 20


def run(name: str, runs: int, seed: int = 0) -> None:
    """Read about `runs` changed files of a format."""
    target = TARGETS[name]()
    folder = CORPUS / name.removeprefix(".")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"m{target.suffix}"
    outcomes = {"model": 0, "error": 0}
    slowest, most = 0.0, 0

    def outcome(path: Path) -> str:
        try:
            target.read(path)
        except ModelFileError as error:
            assert str(error).startswith(f"{path}: ") and str(error).isprintable()
            return "error"
        return "model"

    def one(data: bytes) -> None:
        nonlocal slowest, most
        path.unlink(missing_ok=True)    # a model of the last one may still be mapped
        path.write_bytes(data)
        before = memory_from_here()
        start = time.perf_counter()
        outcomes[outcome(path)] += 1
        seconds = time.perf_counter() - start
        taken = peak() - before
        if seconds >= SECONDS:          # of the processor, or of waiting for it? Its own clock takes long to ask
            start = time.process_time()
            outcome(path)
            seconds = time.process_time() - start
        slowest, most = max(slowest, seconds), max(most, taken)
        assert seconds < SECONDS, f"took {seconds:.1f} s"
        assert taken < MEMORY, f"took {taken >> 20} MB"

    # An example is several files: each change by itself, and all of them.
    @hypothesis.seed(seed)
    @settings(max_examples=max(1, runs // 3), deadline=None, suppress_health_check=list(HealthCheck), derandomize=False,
              phases=[Phase.reuse, Phase.generate, Phase.shrink], database=DirectoryBasedExampleDatabase(folder))
    @given(edits)
    def attempt(changes: list[Edit]) -> None:
        for some in [[change] for change in changes] + ([changes] if len(changes) > 1 else []):
            data = target.make(some)
            if data:
                one(data)

    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    warnings.simplefilter("ignore")
    for data in (target.good, target.assemble(target.trees)):
        one(data)
    assert outcomes == {"model": 2, "error": 0}, "the good files are refused"
    attempt()
    path.unlink()
    print(f"{name}: {sum(outcomes.values())} files, {outcomes['model']} models, {outcomes['error']} refused, slowest "
          f"{slowest * 1e3:.0f} ms, at most {most >> 20} MB")


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
