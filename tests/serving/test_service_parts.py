# SPDX-License-Identifier: Apache-2.0
"""The parts of the web service by themselves: batches, what is checked of a request, settings, the command."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocket

import fastrnn
from fastrnn.__main__ import main
from fastrnn.layers import GRU, LSTM, Concatenate
from fastrnn.serving.service import Settings, make_app
from fastrnn.serving.service.batching import Batcher, BusyError, each_alone
from fastrnn.serving.service.inputs import InputError, Inputs, parse
from fastrnn.serving.service.metrics import Metrics
from fastrnn.serving.service.predictions import Predictions
from fastrnn.serving.service.sessions import Sessions
from fastrnn.serving.service.talk import talk
from tests.processes.running import ROOT, environment


def with_batcher(work, run, **options):
    """What a coroutine function gives that a running batcher is handed to."""
    async def all_of_it():
        batcher = Batcher(run, **{"window_us": 0, "most": 8, "waiting": 100, "name": "tested", **options})
        batcher.start()
        try:
            return await work(batcher)
        finally:
            await batcher.stop()
    return asyncio.run(asyncio.wait_for(all_of_it(), 60))


class TestBatcher:
    def test_jobs_of_a_window_are_one_batch(self):
        batches = []

        async def work(batcher):
            return await asyncio.gather(*(batcher.ask(number) for number in range(20)))

        answers = with_batcher(work, lambda jobs: batches.append(jobs) or [-job for job in jobs], window_us=200_000)
        assert answers == [-number for number in range(20)]
        assert [len(batch) for batch in batches] == [8, 8, 4]

    def test_what_comes_while_it_runs_is_the_next(self):
        batches, begun, go = [], threading.Event(), threading.Event()

        def run(jobs):
            batches.append(jobs)
            begun.set()
            go.wait(30)
            return jobs

        async def work(batcher):
            first = asyncio.create_task(batcher.ask(0))
            await asyncio.to_thread(begun.wait, 30)
            others = [asyncio.create_task(batcher.ask(number)) for number in (1, 2, 3)]
            await asyncio.sleep(0)
            go.set()
            return await asyncio.gather(first, *others)

        assert with_batcher(work, run) == [0, 1, 2, 3]
        assert batches == [[0], [1, 2, 3]]

    def test_one_that_fails_fails_alone(self):
        async def work(batcher):
            return await asyncio.gather(*map(batcher.ask, (3, 0, 2)), return_exceptions=True)

        two, error, three = with_batcher(work, lambda jobs: each_alone(lambda job: 6 // job, jobs), window_us=100_000)
        assert (two, three) == (2, 3) and isinstance(error, ZeroDivisionError)

    def test_a_run_that_fails_is_told_to_all_and_the_next_goes_on(self):
        def run(jobs):
            if 0 in jobs:
                raise MemoryError("no room")
            return jobs

        async def work(batcher):
            found = await asyncio.gather(batcher.ask(0), batcher.ask(1), return_exceptions=True)
            return [*found, await batcher.ask(2)]

        first, second, third = with_batcher(work, run, window_us=100_000)
        assert isinstance(first, MemoryError) and isinstance(second, MemoryError) and third == 2

    def test_no_more_wait_than_may(self):
        go = threading.Event()

        async def work(batcher):
            tasks = [asyncio.create_task(batcher.ask(number)) for number in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(BusyError, match="3 requests wait already"):
                await batcher.ask(3)
            go.set()
            await asyncio.gather(*tasks)
            return await batcher.ask(4)             # there is room again

        assert with_batcher(work, lambda jobs: go.wait(30) and jobs, waiting=3) == 4

    def test_who_has_gone_is_not_computed_for(self):
        done, go = [], threading.Event()

        def run(jobs):
            go.wait(30)
            done.extend(jobs)
            return jobs

        async def work(batcher):
            tasks = [asyncio.create_task(batcher.ask(number)) for number in range(3)]
            await asyncio.sleep(0.05)
            tasks[1].cancel()
            await asyncio.sleep(0)
            go.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

        zero, gone, two = with_batcher(work, run, most=1)
        assert (zero, two) == (0, 2) and isinstance(gone, asyncio.CancelledError) and done == [0, 2]

    def test_the_event_loop_is_free_while_it_runs(self):
        go = threading.Event()

        async def work(batcher):
            task = asyncio.create_task(batcher.ask(1))
            for _ in range(20):
                await asyncio.sleep(0.001)
            assert not task.done()
            go.set()
            return await task

        assert with_batcher(work, lambda jobs: go.wait(30) and jobs) == 1

    def test_stop_answers_what_waits_and_takes_nothing_more(self):
        async def work(batcher):
            tasks = [asyncio.create_task(batcher.ask(number)) for number in range(5)]
            await asyncio.sleep(0)
            await batcher.stop()
            assert not batcher.running
            with pytest.raises(BusyError, match="ends"):
                await batcher.ask(9)
            return await asyncio.gather(*tasks)

        assert with_batcher(work, lambda jobs: time.sleep(0.02) or jobs, most=1) == [0, 1, 2, 3, 4]


def meter():
    model = fastrnn.Sequential([fastrnn.Input((None, 3)), LSTM(4)])
    return model.freeze()


class TestSessions:
    def test_closed_ones_have_no_more_steps(self):
        frozen = meter()

        async def work():
            sessions = Sessions(frozen, Settings(window_us=0), Metrics())
            sessions.batcher.start()
            x, first, second = np.ones((1, 3), "float32"), sessions.open(), sessions.open()
            found = [await sessions.step(first, x), await sessions.step(second, x)]
            slot = first.slot
            sessions.close(first, "test")
            sessions.close(first, "test")                                   # again: nothing happens
            with pytest.raises(InputError, match="the session is closed"):
                await sessions.step(first, x)
            third = sessions.open()
            found += [await sessions.step(third, x), await sessions.step(second, x)]
            assert third.slot == slot and len(sessions) == 2
            await sessions.batcher.stop()
            return found

        first, second, third, after = asyncio.run(work())
        stream = frozen.stream()
        one, two = (stream.step(np.ones((1, 3)))[0].tobytes() for _ in range(2))
        assert [y.tobytes() for y in (first, second, third, after)] == [one, one, one, two]

    def test_two_steps_of_one_session_at_once_are_in_order(self):
        frozen = meter()

        async def work():
            sessions = Sessions(frozen, Settings(window_us=100_000), Metrics())
            sessions.batcher.start()
            session = sessions.open()
            xs = [np.full((1, 3), value, "float32") for value in (1, 2)]
            found = await asyncio.gather(*(sessions.step(session, x) for x in xs))
            await sessions.batcher.stop()
            return found

        stream = frozen.stream()
        expected = [stream.step(np.full((1, 3), value, "float32"))[0].tobytes() for value in (1, 2)]
        assert [y.tobytes() for y in asyncio.run(work())] == expected


class TestTalk:
    @staticmethod
    def ended(settings, *messages, reads=True):
        """How a session of these messages ends, after which the client is silent: the reason, what it was sent."""
        frozen, metrics, sent = meter(), Metrics(), []
        waiting = [{"type": "websocket.connect"}, *({"type": "websocket.receive", **message} for message in messages)]

        async def receive():
            return waiting.pop(0) if waiting else await asyncio.Future()

        async def send(event):
            sent.append(event)
            if event["type"] == "websocket.send" and not reads:
                await asyncio.Future()          # its buffers are full

        async def work():
            sessions = Sessions(frozen, settings, metrics)
            sessions.batcher.start()
            await talk(WebSocket({"type": "websocket"}, receive, send), sessions, settings, metrics)
            assert len(sessions) == 0
            await sessions.batcher.stop()

        asyncio.run(asyncio.wait_for(work(), 60))
        [reason] = re.findall(r'fastrnn_sessions_ended_total{reason="(.*)"} 1', metrics.text().decode())
        return reason, sent

    def test_who_does_not_read_is_idle(self):
        reason, sent = self.ended(Settings(idle_seconds=0.1), {"bytes": bytes(12)}, reads=False)
        assert reason == "idle" and [event["type"] for event in sent] == ["websocket.accept", "websocket.send"]

    def test_large_messages_are_refused_whatever_the_server_lets_through(self):
        reason, sent = self.ended(Settings(message_bytes=20), {"bytes": bytes(12)}, {"text": "x" * 21})
        assert reason == "too large" and sent[-1]["code"] == 1009

    def test_a_model_that_fails_ends_the_session(self, monkeypatch):
        def fail(self, session, x):
            raise MemoryError("no room")

        monkeypatch.setattr(Sessions, "step", fail)
        reason, sent = self.ended(Settings(), {"bytes": bytes(12)})
        assert reason == "failed" and (sent[-1]["code"], sent[-1]["reason"]) == (1011, "no room")


NUMBERS = Inputs((None, 3), "float32")
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2))


class TestInputs:
    @given(JSON)
    def test_any_json_is_an_array_that_fits_or_refused(self, value):
        for inputs in (NUMBERS, Inputs((), "int32", 7), Inputs((2,), "float64")):
            try:
                x = inputs.from_values(value)
            except InputError as error:
                assert 0 < len(str(error)) < 500
                continue
            assert x.dtype == inputs.dtype and x.ndim == 1 + len(inputs.shape) and x.size and np.isfinite(x).all()

    @given(st.lists(st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3,
                                      max_size=3), min_size=2, max_size=2), min_size=1, max_size=3))
    def test_numbers_are_the_same_bits(self, value):
        x = NUMBERS.from_values(parse(json.dumps({"x": value}), "x"))
        assert x.tobytes() == np.array(value, "float32").tobytes()

    @given(st.binary(max_size=40))
    def test_any_bytes_are_json_or_refused(self, data):
        try:
            parse(data, "x")
        except InputError as error:
            assert error.status in (400, 422)

    def test_a_long_string_among_many_takes_no_memory_of_all(self):
        start = time.monotonic()
        with pytest.raises(InputError, match="got a string"):
            NUMBERS.from_values([["a" * 500_000, *["b"] * 50_000]])
        assert time.monotonic() - start < 10


class TestModels:
    def test_several_inputs_are_refused(self):
        one, two = fastrnn.Input((None, 3)), fastrnn.Input((None, 3))
        model = fastrnn.Model([one, two], GRU(2)(Concatenate()([one, two])))
        with pytest.raises(ValueError, match=r"serve: expected a model with one input and one output, got 2 and 1; "):
            make_app(model.freeze(), Settings())

    @pytest.mark.parametrize("wrap", [lambda y: y, lambda y: [y], lambda y: {"out": y}], ids=["one", "list", "dict"])
    def test_one_output_in_any_structure(self, wrap):
        x = fastrnn.Input((None, 3))
        frozen = fastrnn.Model(x, wrap(GRU(2)(x))).freeze()
        given = np.ones((2, 4, 3), "float32")

        async def work():
            predictions = Predictions(frozen, Settings(), Metrics())
            predictions.batcher.start()
            y = await predictions.predict(given)
            await predictions.batcher.stop()
            return y

        assert asyncio.run(work()).shape == (2, 2)


class TestSettings:
    def test_of_the_environment(self):
        settings = Settings.from_environment({"FASTRNN_SERVE_SESSIONS": "7", "FASTRNN_SERVE_IDLE_SECONDS": "1.5",
                                              "FASTRNN_SERVE_BATCH": ""})
        assert settings == Settings(sessions=7, idle_seconds=1.5)

    @pytest.mark.parametrize(("name", "text", "said"), [
        ("BATCH", "many", "FASTRNN_SERVE_BATCH: expected a number, got 'many'"), ("BATCH", "1.5", "got '1.5'"),
        ("BATCH", "0", "serve batch: expected 1 or more, got 0"), ("WINDOW_US", "-1", "expected 0 or more, got -1"),
        ("IDLE_SECONDS", "nan", "serve idle_seconds"), ("IDLE_SECONDS", "inf", "serve idle_seconds")])
    def test_that_do_not_fit(self, name, text, said):
        with pytest.raises(ValueError, match=said):
            Settings.from_environment({f"FASTRNN_SERVE_{name}": text})


class TestCommand:
    def test_says_what_is_wrong(self, tmp_path, monkeypatch):
        meter().save(tmp_path / "meter")
        file = str(tmp_path / "meter.safetensors")
        for arguments, said in [(["--batch", "0"], "fastrnn: serve batch: expected 1 or more, got 0"),
                                (["--port", "70000"], "fastrnn: serve port: expected 0 to 65535, got 70000")]:
            with pytest.raises(SystemExit, match=said):
                main(["serve", file, *arguments])
        monkeypatch.setenv("FASTRNN_SERVE_STEPS", "x")
        with pytest.raises(SystemExit, match="FASTRNN_SERVE_STEPS: expected a number"):
            main(["serve", file])
        with pytest.raises(SystemExit, match="nowhere"):
            main(["serve", str(tmp_path / "nowhere.safetensors")])

    @pytest.mark.parametrize("package", ["starlette", "uvicorn", "prometheus_client"])
    def test_without_the_extra(self, tmp_path, package):
        meter().save(tmp_path / "meter")
        code = (f"import sys; sys.modules[{package!r}] = None; from fastrnn.__main__ import main; "
                f"main(['serve', {str(tmp_path / 'meter.safetensors')!r}])")
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60,
                             env=environment())
        assert run.returncode == 1
        assert "fastrnn: the web service needs" in run.stderr and "pip install 'fastrnn[serve]'" in run.stderr
