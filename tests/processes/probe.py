# SPDX-License-Identifier: Apache-2.0
"""What the tests here run in a process of its own: `python -m tests.processes.probe threads float32`.

Each program prints a JSON object with what is wrong, by recipe; an empty one is what is wanted. A process of its own
has no other library's threads in it, and may fork.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastrnn
from tests.processes.recipes import RECIPES, Call, bits

Faults = dict[str, str]

DEADLINE = 10.0     # seconds for work of some milliseconds, on a machine that is busy with other things
HANGS = 2           # after so many a program stops: the others would hang too


def thread_count() -> int:
    """Threads of this process; where the system does not tell, those that Python knows of."""
    try:
        return len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        return threading.active_count()


# threads -------------------------------------------------------------------------------------------------------------

def load_blas() -> None:
    """Have SciPy's BLAS make its threads now, if products are to go there."""
    if fastrnn.runtime.get_blas() == "always":
        import scipy.linalg.cython_blas  # noqa: F401


def threads(dtype: str, *names: str) -> Faults:
    """No recipe leaves more threads than are configured. With names, only these are tried."""
    load_blas()
    allowed = thread_count() + fastrnn.get_num_threads() - 1
    faults = {}
    for name in names or RECIPES:
        run = RECIPES[name].prepare(dtype)
        run()
        run()
        if thread_count() > allowed:
            faults[name] = f"{thread_count()} threads, expected {allowed} at most"
            allowed = thread_count()
    return faults


def fewer_threads(dtype: str) -> Faults:
    """The same after a number of threads that was set while none of the kernels had run."""
    fastrnn.set_num_threads(1)
    return threads(dtype)


def alone(dtype: str, name: str) -> Faults:
    """The recipe, the first one of its process, takes a second thread, at once or when the machine is less busy."""
    before, run, end = thread_count(), RECIPES[name].prepare(dtype), time.monotonic() + 1
    run()
    while thread_count() == before and time.monotonic() < end:
        run()
    return {} if thread_count() > before else {name: "no second thread"}


# children ------------------------------------------------------------------------------------------------------------

def in_child(work: Callable[[], str], deadline: float = DEADLINE) -> str:
    """What `work` says in a forked child, "" where all is well; a child that does not answer in time is killed."""
    answer, end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = work()
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(end, told.encode()[:1000] or b"-")
        os._exit(0)
    os.close(end)
    ready, _, _ = select.select([answer], [], [], deadline)
    if not ready:
        os.kill(child, signal.SIGKILL)
    told = os.read(answer, 1000).decode() if ready else f"no answer from the child within {deadline:g} s"
    os.close(answer)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return told.removeprefix("-") or (f"the child ended with {status}" if status else "")


def repeated(run: Call, expected: bytes) -> str:
    """In a child: the same bits, with the threads that a child has by default, and with those it sets."""
    before = thread_count()
    for number in (fastrnn.get_num_threads(), 1, 2):
        fastrnn.set_num_threads(number)
        if bits(run()) != expected:
            return f"other bits in the child, with {number} threads"
        if fastrnn.runtime.get_blas() != "always" and thread_count() > max(before, number):
            return f"{thread_count()} threads in the child, expected {max(before, number)} at most"
    return ""


def forks(dtype: str) -> Faults:
    """Each recipe in the parent, then in a forked child, then in the parent again."""
    faults: Faults = {}
    for name, recipe in RECIPES.items():
        run = recipe.prepare(dtype)
        expected = bits(run())
        fault = in_child(lambda run=run, expected=expected: repeated(run, expected))
        if not fault and bits(run()) != expected:
            fault = "other bits in the parent after the fork"
        if fault:
            faults[name] = fault
        if sum("no answer" in fault for fault in faults.values()) >= HANGS:
            break
    return faults


def child_of_a_child(dtype: str) -> Faults:
    """A child computes, forks, and computes again, as its own child does."""
    faults = {}
    for name in ("RecurrentRunner, over rows", "RecurrentRunner, over units",
                 "RecurrentRunner, training in both directions"):
        run = RECIPES[name].prepare(dtype)
        expected = bits(run())

        def child(run: Call = run, expected: bytes = expected) -> str:
            return repeated(run, expected) or in_child(lambda: repeated(run, expected)) or repeated(run, expected)

        if fault := in_child(child, 2 * DEADLINE):
            faults[name] = fault
            break
    return faults


def while_another_computes(dtype: str) -> Faults:
    """Forks while another thread is inside a kernel, with all threads that there are."""
    layer = fastrnn.layers.LSTM(128, dtype=dtype)
    x = np.random.default_rng(0).standard_normal((64, 300, 64)).astype(dtype)
    run = RECIPES["RecurrentRunner, over rows"].prepare(dtype)
    expected, expected_of_layer = bits(run()), layer(x).tobytes()
    stop, inside, other_bits = threading.Event(), threading.Event(), threading.Event()

    def compute() -> None:
        while not stop.is_set():
            inside.set()
            if layer(x).tobytes() != expected_of_layer:
                other_bits.set()

    def child() -> str:
        fault = repeated(run, expected)
        return fault or ("" if layer(x).tobytes() == expected_of_layer else "other bits from the layer that was in use")

    thread = threading.Thread(target=compute)
    thread.start()
    fault, pause = "", np.random.default_rng(1)
    for _ in range(10):
        inside.clear()
        inside.wait(DEADLINE)
        time.sleep(pause.uniform(0, 0.005))
        if fault := in_child(child):
            break
    stop.set()
    thread.join(DEADLINE)
    if thread.is_alive():
        fault = fault or "the parent's other thread does not return"
    if other_bits.is_set():
        fault = fault or "other bits in the parent's other thread"
    return {"LSTM": fault} if fault else {}


# a pool of processes -------------------------------------------------------------------------------------------------

def make_model() -> tuple[Any, np.ndarray]:
    """A model whose two directions run at once, and a batch for it."""
    layers = fastrnn.layers
    fastrnn.utils.set_random_seed(1)
    model = fastrnn.Sequential([layers.Input((None, 52)), layers.Bidirectional(layers.LSTM(64)), layers.Dense(1)])
    return model, np.random.default_rng(0).standard_normal((32, 50, 52)).astype("float32")


def pool() -> Faults:
    """A warm model in multiprocessing's forked workers."""
    model, x = make_model()
    expected = bits([model.predict_on_batch(np.zeros_like(x)), model.predict_on_batch(x)])
    global _work
    _work = lambda: bits([model.predict_on_batch(np.zeros_like(x)), model.predict_on_batch(x)])  # noqa: E731
    with multiprocessing.get_context("fork").Pool(2) as workers:
        try:
            answers = workers.map_async(_worker, range(6), chunksize=1).get(DEADLINE)
        except multiprocessing.TimeoutError:
            return {"Bidirectional": f"no answer from the workers within {DEADLINE:g} s"}
    return {} if set(answers) == {expected} else {"Bidirectional": "other bits from the workers"}


_work: Callable[[], bytes]


def _worker(_: int) -> bytes:
    return _work()


# training, too -------------------------------------------------------------------------------------------------------

def step_on(stream: Any, x: np.ndarray) -> bytes:
    """The bits of a stream's next step, and of some more."""
    return bits([stream.step(x[:, 0]), stream.feed(x)])


def fit_and_predict(model: Any, x: np.ndarray) -> bytes:
    """The bits of what a model learns from x, and then makes of it."""
    losses = model.fit(x, np.sin(x[:, 0, :1]), batch_size=16, epochs=2, verbose=0, shuffle=False).history["loss"]
    return bits([losses, *model.get_weights(), model.predict(x, batch_size=16, verbose=0)])


def make_stream() -> Any:
    """A stream that has begun, with work for helpers in a step."""
    layers = fastrnn.layers
    fastrnn.utils.set_random_seed(2)
    model = fastrnn.Sequential([layers.Input((None, 52)), layers.LSTM(64, return_sequences=True), layers.Dense(8)])
    stream = model.freeze().stream(32)
    stream.feed(np.random.default_rng(1).standard_normal((32, 5, 52)).astype("float32"))
    return stream


def trained() -> tuple[Any, np.ndarray]:
    """A model that has been fitted, and has predicted, with helpers where there may be any."""
    model, x = make_model()
    model.compile("adam", "mse")
    fit_and_predict(model, x)
    return model, x


def fork_and_train(times: str) -> Faults:
    """So many times: the model was fitted, the process forks, and both fit on, predict and step: the same bits."""
    (model, x), stream = trained(), make_stream()

    def go_on() -> bytes:
        return hashlib.sha256(fit_and_predict(model, x) + step_on(stream, x)).digest()

    for time_of in range(int(times)):
        answer, end = os.pipe()
        fault = in_child(lambda end=end: os.write(end, go_on()) and "")
        expected = go_on()
        os.close(end)
        found = os.read(answer, 100)
        os.close(answer)
        if fault or found != expected:
            return {"fit": f"fork {time_of}: {fault or 'other bits in the child'}"}
    return {}


def start_method(method: str) -> Faults:
    """Processes that begin with a copy of a fitted model fit on and predict, as the parent does."""
    model, x = trained()
    with multiprocessing.get_context(method).Pool(2) as workers:
        answers = workers.starmap_async(fit_and_predict, [(model, x)] * 4, chunksize=1)
        try:
            found = set(answers.get(6 * DEADLINE))
        except multiprocessing.TimeoutError:
            return {method: f"no answer from the workers within {6 * DEADLINE:g} s"}
    return {} if found == {fit_and_predict(model, x)} else {method: "other bits from the workers"}


PROGRAMS: dict[str, Callable[..., Faults]] = {program.__name__: program for program in (
    threads, fewer_threads, alone, forks, child_of_a_child, while_another_computes, pool,
    fork_and_train, start_method)}


def main() -> None:
    faults = PROGRAMS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(faults), flush=True)
    os._exit(0)     # a thread that never returns must not keep the process


if __name__ == "__main__":
    main()
