# SPDX-License-Identifier: Apache-2.0
"""What a run shows on the screen."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastrnn
from fastrnn.callbacks import Callback, progress
from fastrnn.callbacks.progress import ProgbarLogger, format_duration, format_metrics, format_step
from fastrnn.layers import Dense

x = np.zeros((64, 3), "float32")
y = np.ones((64, 1), "float32")


class Terminal(io.StringIO):
    """What a terminal would be given."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def model() -> fastrnn.Sequential:
    model = fastrnn.Sequential([fastrnn.Input((3,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


@pytest.fixture
def draw_every_step(monkeypatch):
    monkeypatch.setattr(progress, "_REDRAW_SECONDS", 0.0)


def screen(written: str) -> list[str]:
    """The lines a terminal shows."""
    return [line.rpartition("\r")[2].rstrip() for line in written.split("\n")]


def test_a_bar_on_a_terminal(model, draw_every_step):
    terminal = Terminal()
    model.fit(x, y, batch_size=16, epochs=2, validation_split=0.25, callbacks=[ProgbarLogger(terminal)])
    written = terminal.getvalue()
    lines = screen(written)
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and lines[4] == ""
    for line in (lines[1], lines[3]):
        assert re.fullmatch(r"3/3 ━+ [\d.]+s \d+(\.\d)?[mu]s/step - loss: [\d.e-]+ - mae: [\d.]+ - val_loss: [\d.e-]+ "
                            r"- val_mae: [\d.]+", line)
    drawn = written.split("\n")[1].split("\r")
    assert [part[:3] for part in drawn[1:]] == ["1/3", "2/3", "3/3", "3/3"]
    done, left = drawn[1].count("━"), drawn[1].count("─")
    assert done == (done + left) // 3 > 0
    assert "\x1b" not in written


def test_what_is_left_of_a_longer_line_is_blanked(draw_every_step):
    terminal = Terminal()
    bar = ProgbarLogger(terminal)
    bar.set_params({"verbose": 1, "epochs": 1, "steps": 2})
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(0, {"loss": 1e-9, "metric_of_a_long_name": 1.0})
    bar.on_train_batch_end(1, {"loss": 1.0})
    first, second = terminal.getvalue().split("\r")[1:]
    assert len(second) >= len(first) and second != second.rstrip()


def test_a_line_never_wraps_while_it_is_redrawn(draw_every_step, monkeypatch):
    monkeypatch.setattr(progress, "terminal_columns", lambda stream: 40)
    terminal = Terminal()
    bar = ProgbarLogger(terminal)
    bar.set_params({"verbose": 1, "epochs": 1, "steps": 100})
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(0, {"accuracy": 0.5, "loss": 1.0, "val_loss": 2.0})
    assert len(terminal.getvalue().split("\r")[1]) < 40


def test_drawn_no_more_often_than_is_seen(model):
    terminal = Terminal()
    model.fit(np.zeros((3000, 3)), np.zeros((3000, 1)), batch_size=1, callbacks=[ProgbarLogger(terminal)])
    assert terminal.getvalue().count("\r") < 200


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_plain_lines_where_the_output_is_no_terminal(model, verbose, capsys):
    model.fit(x, y, batch_size=16, epochs=2, verbose=verbose, validation_split=0.25)
    out = capsys.readouterr().out
    lines = out.split("\n")
    assert len(lines) == 3 and lines[2] == "" and "\r" not in out
    assert re.fullmatch(r"Epoch 2/2 - 3/3 - [\d.]+s - \d+(\.\d)?[mu]s/step - loss: \S+ - mae: \S+ - val_loss: \S+ "
                        r"- val_mae: \S+", lines[1])


def test_verbose_2_on_a_terminal(model):
    terminal = Terminal()
    model.fit(x, y, epochs=2, verbose=2, callbacks=[ProgbarLogger(terminal)])
    assert terminal.getvalue().count("\n") == 2 and "\r" not in terminal.getvalue()


def test_evaluate_and_predict(model, capsys):
    model.evaluate(x, y)
    assert re.fullmatch(r"2/2 - [\d.]+s - \S+/step - loss: \S+ - mae: \S+\n", capsys.readouterr().out)
    model.predict(x)
    assert re.fullmatch(r"2/2 - [\d.]+s - \S+/step\n", capsys.readouterr().out)


def test_nothing_at_verbose_0(model, capfd):
    model.fit(x, y, epochs=2, verbose=0, validation_split=0.25)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    assert capfd.readouterr() == ("", "")


def test_a_source_of_unknown_length(model, draw_every_step):
    terminal = Terminal()
    model.fit((batch for batch in [(x, y)] * 3), callbacks=[ProgbarLogger(terminal)])
    drawn = terminal.getvalue().split("\r")
    assert drawn[1].startswith("1/unknown ") and drawn[-1].startswith("3/3 ━")


def test_ascii_where_the_terminal_knows_no_more(model):
    terminal = Terminal()
    terminal.encoding = "ascii"
    model.predict(x, callbacks=[ProgbarLogger(terminal)])
    assert "2/2 ==================== " in terminal.getvalue() and terminal.getvalue().isascii()


def test_without_any_output(model, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    model.fit(x, y, epochs=1)
    model.predict(x)


def test_an_interrupted_bar_is_left_on_a_line_of_its_own(model, draw_every_step):
    class Stop(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    terminal = Terminal()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, callbacks=[Stop(), ProgbarLogger(terminal)])
    assert terminal.getvalue().endswith("\n") and "1/2" in terminal.getvalue()
    model.evaluate(x, y, callbacks=[ProgbarLogger(terminal)])


def test_verbose_must_be_known(model):
    for bad in (3, "loud", -1):
        with pytest.raises(ValueError, match="verbose: expected 'auto', 0, 1 or 2"):
            model.fit(x, y, verbose=bad)
    model.fit(x, y, verbose=False)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0.0s"), (0.44, "0.4s"), (9.94, "9.9s"), (9.96, "10s"),
                                               (59.4, "59s"), (60, "1:00"), (187, "3:07"), (3765, "1:02:45")])
def test_durations(seconds, text):
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0us/step"), (4.2e-5, "42us/step"), (0.0016, "1.6ms/step"),
                                               (0.0484, "48ms/step"), (1.25, "1.2s/step"), (12, "12s/step")])
def test_times_of_a_step(seconds, text):
    assert format_step(seconds) == text


def test_metrics():
    assert format_metrics({"loss": 0.51234, "lr": 1e-4, "none": 0, "nan": float("nan"), "text": "x"}) == (
        " - loss: 0.5123 - lr: 1.0000e-04 - none: 0.0000 - nan: nan - text: x")
    assert format_metrics(None) == ""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_on_a_real_terminal():
    """The standard output of a process of its own, a pseudo-terminal of 80 columns."""
    program = ("import numpy as np, fastrnn; m = fastrnn.Sequential([fastrnn.Input((3,)), fastrnn.layers.Dense(1)]);"
               "m.compile('sgd', 'mse'); m.fit(np.zeros((64, 3)), np.ones((64, 1)), epochs=2)")
    ours, theirs = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=theirs,
                               env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 4096):
            written += chunk
    except OSError:  # the other end was closed
        pass
    os.close(ours)
    assert process.wait() == 0
    lines = screen(written.decode().replace("\r\n", "\n"))
    assert lines[0] == "Epoch 1/2" and lines[1].startswith("2/2 ━") and lines[3].startswith("2/2 ━")
