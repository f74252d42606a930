# SPDX-License-Identifier: Apache-2.0
"""The web service: real processes and connections on this machine, and answers that are the model's own bits."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

import fastrnn
from examples.serve import load_test
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Embedding
from tests.processes.running import ROOT
from tests.serving.service_process import DEADLINE, running, served

WIDTH, WORDS = 5, 20
needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a system with fork")


def saved(folder, name, *layers, words=False):
    given = fastrnn.Input((None,), dtype="int32") if words else fastrnn.Input((None, WIDTH))
    model = fastrnn.Sequential([given, *layers], name=name)
    model.freeze().save(folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def file(folder):
    return saved(folder, "meter", LSTM(40, return_sequences=True), GRU(24), Dense(3))


@pytest.fixture(scope="module")
def frozen(file):
    return fastrnn.serving.load(file)


@pytest.fixture(scope="module")
def service(file, folder):
    """With a window that is long enough for requests to meet on any machine."""
    with served(file, folder / "log", "--window-us", "20000") as service:
        yield service


@pytest.fixture(scope="module")
def strict(file, folder):
    """With small limits."""
    with served(file, folder / "strict", "--sessions", "2", "--message-bytes", "300", "--request-bytes", "5000",
                "--steps", "50", "--idle-seconds", "1", "--request-seconds", "1") as service:
        yield service


@pytest.fixture(scope="module")
def texts(folder):
    """A model of indices."""
    file = saved(folder, "texts", Embedding(WORDS, 8, mask_zero=True), GRU(12), Dense(2), words=True)
    with served(file, folder / "texts") as service:
        yield service, fastrnn.serving.load(file)


def sequences(rng, count):
    return [rng.standard_normal((samples, steps, WIDTH), "float32")
            for samples, steps in rng.integers(1, 5, (count, 2))]


def as_bytes(service, x):
    response = service.post(x.tobytes(), f"/v1/predict?shape={','.join(map(str, x.shape))}", "application/octet-stream")
    assert response.status_code == 200, response.text
    return np.frombuffer(response.content, "<f4").reshape([int(n) for n in response.headers["X-Shape"].split(",")])


class TestPredictions:
    def test_are_the_models_bits_whoever_shares_the_batch(self, service, frozen, rng):
        xs = sequences(rng, 48)
        before = service.metric('fastrnn_batch_requests_count{work="predict"}')
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda x: service.post({"x": x.tolist()}), xs))
        for x, answer in zip(xs, answers):
            assert answer.status_code == 200
            assert np.array(answer.json()["y"], "float32").tobytes() == frozen(x).tobytes()
        batches = service.metric('fastrnn_batch_requests_count{work="predict"}') - before
        assert 0 < batches < len(xs)        # of up to 16 shapes in each window

    def test_bytes(self, service, frozen, rng):
        x = rng.standard_normal((3, 7, WIDTH), "float32")
        y = as_bytes(service, x)
        assert y.shape == (3, 3) and y.tobytes() == frozen(x).tobytes()

    def test_indices(self, texts):
        service, frozen = texts
        x = np.array([[3, 4, 19], [5, 0, 0]], "int32")
        assert np.array(service.post({"x": x.tolist()}).json()["y"], "float32").tobytes() == frozen(x).tobytes()
        for wrong, said in (([[3, 20]], "indices from 0 to 19"), ([[-1]], "indices from 0 to 19"),
                            ([[1.5]], "whole numbers, got a number with a fraction"), ([["3"]], "got a string")):
            answer = service.post({"x": wrong})
            assert answer.status_code == 422 and said in answer.json()["error"]

    @pytest.mark.parametrize(("body", "status", "said"), [
        (b"", 400, "expected JSON"), (b"{", 400, "expected JSON"), (b"\xff\xfe\xfa", 400, "expected JSON"),
        (b"[" * 4000, 400, "expected JSON"), (b'{"x": NaN}', 400, "NaN is no number"), (b"[1]", 422, "got a list"),
        (b'{"y": 1}', 422, "got the keys 'y'"), (b'{"x": 1, "z": 2}', 422, "got the keys 'x', 'z'"),
        ({"x": [[[1, 2, 3, 4]]]}, 422, "expected float32 (samples, any, 5), got (1, 1, 4)"),
        ({"x": [[1, 2, 3, 4, 5]]}, 422, "got (1, 5)"), ({"x": []}, 422, "got (0,)"), ({"x": [[]]}, 422, "got (1, 0)"),
        ({"x": 3}, 422, "got ()"), ({"x": [[[1, 2, 3, 4, "5"]]]}, 422, "expected numbers, got a string"),
        ({"x": [[[1, 2, 3, 4, True]]]}, 422, "got true or false"), ({"x": [[[1, 2, 3, 4, None]]]}, 422, "got null"),
        ({"x": [[[1, 2, 3, 4, 5], [1]]]}, 422, "lists of different lengths"), ({"x": {"a": 1}}, 422, "got an object"),
        ({"x": [[[1, 2, 3, 4, 1e39]]]}, 422, "finite"), (b'{"x": [[[1, 2, 3, 4, 1e999]]]}', 422, "finite"),
        ({"x": [[[1, 2, 3, 4, 10**400]]]}, 422, "too large"),
        ({"x": "__import__('os').getpid()"}, 422, "got a string"),
    ])  # fmt: skip
    def test_bad_input_is_refused_and_said(self, service, body, status, said):
        answer = service.post(body)
        assert answer.status_code == status and said in answer.json()["error"]
        assert service.get("/health").status_code == 200

    @pytest.mark.parametrize(("shape", "size", "said"), [
        ("", 20, "?shape="), ("1,x", 20, "?shape="), ("1,1,5,", 20, "?shape="), ("1,1,4", 16, "got (1, 1, 4)"),
        ("1,1,5", 19, "expected 20 bytes"), ("1,2,5", 20, "expected 40 bytes"), ("0,1,5", 0, "got (0, 1, 5)"),
        ("999999999,999999999,5", 20, "bytes"), ("-1,1,5", 20, "?shape="), ("1,²,5", 20, "?shape="),
    ])
    def test_bad_bytes_are_refused_and_said(self, service, shape, size, said):
        answer = service.post(bytes(size), f"/v1/predict?shape={shape}", "application/octet-stream")
        assert answer.status_code == 422 and said in answer.json()["error"]

    def test_other_content_paths_and_methods(self, service):
        assert service.post(b"x", kind="text/x-python").status_code == 415
        assert service.get("/v1/predict").status_code == 405
        assert service.get("/v1/elsewhere").json() == {"error": "Not Found"}

    def test_numbers_that_are_not_finite_as_bytes(self, service):
        x = np.full((1, 1, WIDTH), np.nan, "float32")
        answer = service.post(x.tobytes(), "/v1/predict?shape=1,1,5", "application/octet-stream")
        assert answer.status_code == 422 and "finite" in answer.json()["error"]


class TestSessions:
    def test_are_their_own_bits_while_others_come_and_go(self, service, frozen, rng):
        """Twelve clients at once, each with some sessions one after the other: slots are closed, and opened again."""
        runs = [[rng.standard_normal((steps, WIDTH), "float32") for steps in rng.integers(1, 9, 3)] for _ in range(12)]

        def talk(own):
            found = []
            for x in own:
                with service.session() as session:
                    for row in x:
                        session.send(row.tobytes())
                        found.append(np.frombuffer(session.recv(DEADLINE), "<f4"))
            return np.array(found)

        before = service.metric('fastrnn_batch_requests_count{work="step"}')
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(talk, runs))
        for own, answer in zip(runs, answers):
            streams = [(frozen.stream(), x) for x in own]
            expected = np.concatenate([stream.step(row[None]) for stream, x in streams for row in x])
            assert answer.tobytes() == expected.tobytes()
        steps = sum(len(x) for own in runs for x in own)
        assert 0 < service.metric('fastrnn_batch_requests_count{work="step"}') - before < steps
        assert service.becomes("fastrnn_sessions", 0)

    def test_as_json_and_reset(self, service, frozen, rng):
        x, stream = rng.standard_normal((3, WIDTH), "float32"), frozen.stream()
        expected = [stream.step(row[None])[0] for row in x]
        with service.session() as session:
            for _ in range(2):
                for row, y in zip(x, expected):
                    session.send(json.dumps({"x": row.tolist()}))
                    assert np.array(json.loads(session.recv(DEADLINE))["y"], "float32").tobytes() == y.tobytes()
                session.send('{"reset": true}')
                assert json.loads(session.recv(DEADLINE)) == {"reset": True}

    def test_indices(self, texts):
        service, frozen = texts
        stream = frozen.stream()
        with service.session() as session:
            for word in (3, 19, 0, 7):
                session.send(json.dumps({"x": word}))
                y = stream.step(np.array([word]))[0]
                assert np.array(json.loads(session.recv(DEADLINE))["y"], "float32").tobytes() == y.tobytes()
            session.send(json.dumps({"x": 20}))
            assert "indices from 0 to 19" in json.loads(session.recv(DEADLINE))["error"]

    def test_bad_messages_are_answered_and_nothing_goes_on(self, service, frozen):
        x, stream = np.ones((1, WIDTH), "float32"), frozen.stream()
        with service.session() as session:
            for wrong, said in [("{", "expected JSON"), ('{"x": [1, 2]}', "got (1, 2)"),
                                ('{"x": [[1]]}', "got (1, 1, 1)"),
                                (bytes(19), "expected 20 bytes"), (b"", "expected 20 bytes"),
                                ('{"reset": false}', "keys"), ('{"x": ["a", "b", "c", "d", "e"]}', "got a string"),
                                (np.full(WIDTH, np.inf, "float32").tobytes(), "finite")]:
                session.send(x.tobytes())
                assert session.recv(DEADLINE) == stream.step(x).tobytes()
                session.send(wrong)
                assert said in json.loads(session.recv(DEADLINE))["error"]

    def test_connections_that_break_leave_no_session(self, service):
        for _ in range(5):
            with service.session() as session:
                session.send(np.ones(WIDTH, "float32").tobytes())
                session.socket.shutdown(socket.SHUT_RDWR)       # without a word, and without reading the answer
        assert service.becomes("fastrnn_sessions", 0)


class TestLimits:
    def test_too_many_sessions(self, strict):
        with strict.session() as first, strict.session():
            with pytest.raises(InvalidStatus) as refused:
                strict.session()
            assert refused.value.response.status_code == 503
            assert "2 sessions are open already" in json.loads(refused.value.response.body)["error"]
            first.send(bytes(4 * WIDTH))
            assert len(first.recv(DEADLINE)) == 12
        assert strict.becomes("fastrnn_sessions", 0)
        with strict.session() as again:
            again.send(bytes(4 * WIDTH))
            assert len(again.recv(DEADLINE)) == 12

    @pytest.mark.parametrize("message", [bytes(400), "x" * 100_000], ids=["bytes", "text"])
    def test_huge_messages_end_the_session(self, strict, message):
        with strict.session() as session, pytest.raises(ConnectionClosed) as closed:
            session.send(message)
            session.recv(DEADLINE)
        assert closed.value.rcvd.code == 1009
        assert strict.becomes("fastrnn_sessions", 0)

    def test_idle_sessions_are_closed(self, strict):
        with strict.session() as session:
            session.send(bytes(4 * WIDTH))
            session.recv(DEADLINE)
            start = time.monotonic()
            with pytest.raises(ConnectionClosed) as closed:
                session.recv(DEADLINE)
            assert time.monotonic() - start > 0.5
        assert closed.value.rcvd.code == 1008 and closed.value.rcvd.reason == "idle for 1 seconds"
        assert strict.becomes("fastrnn_sessions", 0)
        assert strict.metric('fastrnn_sessions_ended_total{reason="idle"}') >= 1

    def test_huge_requests(self, strict):
        answer = strict.post(b"[" * 6000)
        assert answer.status_code == 413 and answer.json() == {"error": "expected 5000 bytes at most"}

        def parts():
            for _ in range(100):
                yield b" " * 100

        answer = httpx_stream(strict, parts())      # which does not say how long it is
        assert answer.status_code == 413

    def test_many_steps(self, strict):
        allowed, answer = (strict.post(bytes(4 * 5 * steps * WIDTH), f"/v1/predict?shape=5,{steps},5",
                                       "application/octet-stream") for steps in (10, 11))
        assert allowed.status_code == 200
        assert answer.status_code == 422 and "50 time steps at most" in answer.json()["error"]

    def test_requests_that_do_not_arrive(self, strict):
        def parts():
            yield b"{"
            time.sleep(2)
            yield b"}"

        assert httpx_stream(strict, parts()).status_code == 408


def httpx_stream(service, parts):
    with httpx.Client(trust_env=False, timeout=DEADLINE) as client:
        return client.post(f"http://{service.address}/v1/predict", content=parts,
                           headers={"content-type": "application/json"})


class TestHealthAndMetrics:
    def test_what_the_model_takes(self, service, texts):
        assert service.get("/v1/model").json() == {
            "name": "meter", "input": [None, None, WIDTH], "dtype": "float32", "indices": None, "output": [None, 3],
            "streams": True, "why_not": None}
        assert texts[0].get("/v1/model").json()["indices"] == WORDS

    def test_health(self, service):
        with service.session():
            answer = service.get("/health")
        assert answer.status_code == 200 and answer.json() == {"status": "ok", "sessions": 1}

    def test_metrics_count(self, service):
        name = 'fastrnn_requests_total{{status="{}",work="predict"}}'.format
        good, bad = service.metric(name(200)), service.metric(name(422))
        service.post({"x": [[[0.0] * WIDTH]]})
        service.post({"x": 1})
        assert service.metric(name(200)) == good + 1 and service.metric(name(422)) == bad + 1
        assert service.get("/metrics").headers["content-type"].startswith("text/plain; version=")
        assert service.metric('fastrnn_request_seconds_count{work="predict"}') >= 1


class TestShutdown:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
    def test_requests_under_way_are_answered(self, file, frozen, rng, tmp_path, number):
        x = rng.standard_normal((2, 4, WIDTH), "float32")
        with served(file, tmp_path / "log", "--window-us", "700000") as service, service.session() as session:
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(service.post, {"x": x.tolist()})
                time.sleep(0.3)             # it waits in the window
                service.process.send_signal(number)
                assert np.array(answer.result(DEADLINE).json()["y"], "float32").tobytes() == frozen(x).tobytes()
            with pytest.raises(ConnectionClosed) as closed:
                session.recv(DEADLINE)
            assert closed.value.rcvd.code in (1001, 1012)
            assert service.process.wait(DEADLINE) in (0, -number), service.log.read_text()
        assert "Traceback" not in service.log.read_text()


class TestModels:
    def test_that_do_not_stream_predict(self, folder, rng):
        file = saved(folder, "both", Bidirectional(LSTM(4)))
        x = rng.standard_normal((2, 3, WIDTH), "float32")
        with served(file, folder / "both.log") as service:
            assert as_bytes(service, x).tobytes() == fastrnn.serving.load(file)(x).tobytes()
            with pytest.raises(InvalidStatus) as refused:
                service.session()
            assert refused.value.response.status_code == 404
            assert "Bidirectional" in json.loads(refused.value.response.body)["error"]
            assert service.get("/v1/model").json()["streams"] is False

    def test_in_a_file_of_a_whole_model(self, folder, rng):
        model = fastrnn.Sequential([fastrnn.Input((None, WIDTH)), GRU(4)])
        model.save(folder / "whole.safetensors")
        x = rng.standard_normal((1, 3, WIDTH), "float32")
        # WEB_CONCURRENCY is for gunicorn, and may be set in a container all the same.
        with served(folder / "whole.safetensors", folder / "whole.log", WEB_CONCURRENCY="2") as service:
            assert as_bytes(service, x).tobytes() == model.freeze()(x).tobytes()


@needs_fork
def test_gunicorn_with_preloaded_workers(file, frozen, rng, tmp_path):
    counts = tmp_path / "counts"
    counts.mkdir()
    x = rng.standard_normal((2, 6, WIDTH), "float32")
    row, stream = x[:1, 0], frozen.stream()
    first, second = stream.step(row).tobytes(), stream.step(row).tobytes()
    command = ["gunicorn", "--config", str(ROOT / "examples/serve/gunicorn.conf.py"), "--bind", "127.0.0.1:0",
               "--no-control-socket"]
    with running(command, tmp_path / "log", FASTRNN_SERVE_MODEL=str(file), WEB_CONCURRENCY="2",
                 FASTRNN_SERVE_MESSAGE_BYTES="300", FASTRNN_SERVE_THREADS="2",
                 PROMETHEUS_MULTIPROC_DIR=str(counts)) as service:
        asked, end = 0, time.monotonic() + DEADLINE

        def ask(number):
            assert as_bytes(service, x).tobytes() == frozen(x).tobytes()
            with service.session() as session:
                session.send(row.tobytes())
                assert session.recv(DEADLINE) == first
                session.send(row.tobytes())
                assert session.recv(DEADLINE) == second

        with ThreadPoolExecutor(4) as pool:
            while len(list(counts.glob("counter_*.db"))) < 2 and time.monotonic() < end:    # one may be faster
                asked += len(list(pool.map(ask, range(8))))
        workers = {int(path.stem.split("_")[1]) for path in counts.glob("counter_*.db")}
        assert len(workers) == 2 and service.process.pid not in workers
        assert service.metric('fastrnn_requests_total{status="200",work="predict"}') == asked   # of both
        with service.session() as session, pytest.raises(ConnectionClosed) as closed:
            session.send(bytes(400))
            session.recv(DEADLINE)
        assert closed.value.rcvd.code == 1009
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(DEADLINE) == 0, service.log.read_text()
    assert not any(os.path.exists(f"/proc/{worker}") for worker in workers)
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=needs_fork)])
def test_load_test(capsys, workers):
    load_test.main(["--clients", "1", "4", "--windows", "0", "500", "--requests", "40", "--seconds", "10", "--steps",
                    "6", "--workers", str(workers)])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()[2:]]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (work, window, clients) for window in ("0 us", "500 us")
        for work in ("one sequence of 6 steps", "one step of a session") for clients in ("1", "4")]
    assert all((row[3], row[4]) == ("40", "0") for row in rows)     # no request without its answer, no wrong bits
