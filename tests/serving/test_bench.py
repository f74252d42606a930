# SPDX-License-Identifier: Apache-2.0
"""`fastrnn bench`: what is timed, and what is said of it. No test judges a time."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn import runtime
from fastrnn.__main__ import main
from fastrnn.layers import GRU, LSTM, Bidirectional, Concatenate, Dense, Embedding, GlobalAveragePooling1D
from fastrnn.serving import bench

QUICK = 0.005


def model(*layers, shape=(None, 3), name="meter"):
    return fastrnn.Sequential([fastrnn.Input(shape), *layers], name=name)


def works(frozen, **arguments):
    return [row.work for row in bench.measure(frozen, seconds=QUICK, **arguments)]


class TestMeasure:
    def test_each_work_has_a_row_for_each_number_of_threads(self):
        rows = bench.measure(model(LSTM(4), Dense(2)).freeze(), batch=3, steps=7, threads=[1, 2], seconds=QUICK)
        assert [(row.work, row.threads, row.samples) for row in rows] == [
            (work, threads, samples)
            for work, samples in (("one step", 1), ("one sequence of 7 steps", 1), ("3 sequences of 7 steps", 3))
            for threads in (1, 2)]
        for row in rows:
            assert row.calls >= 10
            assert 0 < row.median <= row.p90 <= row.p99 <= row.p999 <= row.longest
            assert row.mean <= row.longest

    def test_threads_are_powers_of_two_up_to_those_set_and_are_set_again(self, monkeypatch):
        monkeypatch.setattr(runtime, "_threads", 3)
        rows = bench.measure(model(GRU(4)).freeze(), batch=1, steps=2, seconds=QUICK)
        assert {row.threads for row in rows} == {1, 2, 3}
        assert {row.work for row in rows} == {"one step", "one sequence of 2 steps"}
        assert runtime.get_num_threads() == 3

    def test_threads_are_set_again_after_an_error(self, monkeypatch):
        monkeypatch.setattr(bench, "_timed", lambda call, seconds: 1 / 0)
        before = runtime.get_num_threads()
        with pytest.raises(ZeroDivisionError):
            bench.measure(model(GRU(4)).freeze(), threads=[before + 1], seconds=QUICK)
        assert runtime.get_num_threads() == before

    def test_a_fixed_number_of_steps_is_kept(self):
        assert "one sequence of 5 steps" in works(model(LSTM(4), shape=(5, 3)).freeze(), steps=9, threads=[1])

    def test_below_an_embedding_are_rows_of_its_table(self):
        frozen = model(Embedding(3, 4, mask_zero=True), LSTM(4), shape=(None,)).freeze()
        [x] = bench._inputs(frozen, 50, 20)
        assert x.shape == (50, 20)
        assert set(np.unique(x)) == {1, 2}      # 0 is padding
        assert works(frozen, steps=4, threads=[1]) == ["one step", "one sequence of 4 steps", "32 sequences of 4 steps"]

    def test_a_table_of_one_row(self):
        [x] = bench._inputs(model(Embedding(1, 4, mask_zero=True), LSTM(4), shape=(None,)).freeze(), 2, 3)
        assert not x.any()

    def test_a_model_that_cannot_stream_has_no_row_for_a_step(self):
        both = model(Bidirectional(LSTM(4))).freeze()
        assert works(both, steps=4, threads=[1]) == ["one sequence of 4 steps", "32 sequences of 4 steps"]

    def test_without_a_time_axis_there_are_samples(self):
        assert works(model(Dense(2), shape=(3,)).freeze(), threads=[1])[-2:] == ["one sample", "32 samples"]

    def test_several_inputs(self):
        one, two = fastrnn.Input((None, 2)), fastrnn.Input((4,))
        y = Dense(1)(Concatenate()([LSTM(3)(one), two]))
        assert works(fastrnn.Model([one, two], y).freeze(), threads=[1], steps=5)[-1] == "32 sequences of 5 steps"

    def test_a_model_of_float64(self):
        fastrnn.config.set_floatx("float64")
        try:
            assert len(works(model(LSTM(4)).freeze(), threads=[1], steps=2)) == 3
        finally:
            fastrnn.config.set_floatx("float32")

    @pytest.mark.parametrize("arguments", [{"batch": 0}, {"steps": -1}, {"seconds": 0.0}, {"threads": [1, 0]}])
    def test_what_is_not_positive_is_refused_by_name(self, arguments):
        (name, _), = arguments.items()
        with pytest.raises(ValueError, match=f"bench {name}: expected more than 0"):
            bench.measure(model(LSTM(4)).freeze(), **arguments)


def row(work, threads, median, calls=5000):
    return bench.Latency(work, threads, 1, calls, *[median] * 6)


class TestReport:
    def test_the_fewest_threads_of_those_as_fast(self):
        rows = [row("one step", 1, 1.04e-6), row("one step", 2, 1e-6), row("a batch", 1, 2e-3), row("a batch", 2, 1e-3),
                row("a batch", 4, 0.97e-3)]
        assert {work: best.threads for work, best in bench.recommended(rows).items()} == {"one step": 1, "a batch": 2}

    def test_one_setting(self):
        text = bench.report(model(LSTM(4)).freeze(), [row("one step", 1, 1e-6), row("one step", 2, 2e-6)])
        assert "one step: 1 thread (2 took 2.00 times as long)" in text
        assert "FASTRNN_NUM_THREADS=1" in text

    def test_several_settings(self):
        rows = [row("one step", 1, 1e-6), row("one step", 2, 2e-6), row("a batch", 1, 2e-3), row("a batch", 2, 1e-3)]
        text = bench.report(model(LSTM(4)).freeze(), rows)
        assert "a batch: 2 threads (1 took 2.00 times as long)" in text
        assert "FASTRNN_NUM_THREADS as above" in text

    def test_a_percentile_needs_calls(self):
        lines = bench.report(model(LSTM(4)).freeze(), [row("few", 1, 1e-3, 99), row("some", 1, 1e-3, 999),
                                                       row("many", 1, 1e-3, 1000)]).splitlines()
        dashes = {line.split()[0]: line.count(" - ") for line in lines if line.startswith(("few ", "some ", "many "))}
        assert dashes == {"few": 2, "some": 1, "many": 0}

    def test_why_there_is_no_step(self):
        text = bench.report(model(Bidirectional(LSTM(4), name="both")).freeze(), [row("one sequence", 1, 1e-6)])
        assert "No row for one step: " in text
        assert "'both'" in text

    def test_a_busy_machine_is_told(self):
        frozen, rows = model(LSTM(4)).freeze(), [row("one step", 1, 1e-6)]
        assert "load 3.2" in bench.report(frozen, rows, load=3.2)
        assert "load" not in bench.report(frozen, rows, load=0.1)
        assert "load" not in bench.report(frozen, rows)

    @pytest.mark.parametrize(("seconds", "text"), [(1.234e-6, "1.23 us"), (4.5e-8, "0.045 us"), (1.5e-3, "1.5 ms"),
                                                    (0.25, "250 ms"), (2.0, "2 s"), (150.0, "150 s")])
    def test_durations(self, seconds, text):
        assert bench._duration(seconds) == text


class TestCommand:
    ARGUMENTS = ("--batch", "2", "--steps", "3", "--threads", "1", "--seconds", "0.01")

    @pytest.mark.parametrize("suffix", [".safetensors", ".keras"])
    def test_a_model_file(self, suffix, tmp_path, capsys):
        path = tmp_path / f"meter{suffix}"
        model(LSTM(4), Dense(1)).save(path)
        main(["bench", str(path), *self.ARGUMENTS])
        out = capsys.readouterr().out
        assert out.startswith("meter, frozen in float32")
        for work in ("one step ", "one sequence of 3 steps ", "2 sequences of 3 steps "):
            assert f"\n{work}" in out
        assert "Recommended for this model on this machine: FASTRNN_NUM_THREADS=1\n" in out

    def test_a_file_of_a_frozen_model(self, tmp_path, capsys):
        model(LSTM(4), Dense(1)).freeze().save(tmp_path / "meter")
        main(["bench", str(tmp_path / "meter"), *self.ARGUMENTS])
        assert capsys.readouterr().out.startswith("meter, frozen in float32")

    def test_a_file_that_is_none(self, tmp_path):
        with pytest.raises(SystemExit, match="fastrnn: .*nothing"):
            main(["bench", str(tmp_path / "nothing.keras")])

    def test_what_is_not_positive_ends_it(self, tmp_path):
        path = tmp_path / "m.safetensors"
        model(LSTM(4)).save(path)
        with pytest.raises(SystemExit, match="fastrnn: bench threads: expected more than 0, got 0"):
            main(["bench", str(path), "--threads", "1", "0"])

    def test_a_pooling_model(self, tmp_path, capsys):
        path = tmp_path / "m.safetensors"
        model(LSTM(4, return_sequences=True), GlobalAveragePooling1D()).save(path)
        main(["bench", str(path), *self.ARGUMENTS])
        assert "No row for one step" in capsys.readouterr().out
