# SPDX-License-Identifier: Apache-2.0
"""The examples of one shape: `load`, `make_model`, `train`, `results`, `draw` and `main`, with little data."""

from __future__ import annotations

import datetime
import importlib
import sys

import numpy as np
import pytest

from fastrnn.utils import set_random_seed
from tests.example_programs import EXAMPLES, PNG, for_keras, same

# What is run beside each example: Keras 3, or Keras 2 where Keras 3 has no such thing.
APPLICATIONS = {"anomalies": "keras", "digits": "keras", "tracking": "keras", "docstrings": "keras", "dates": "keras",
                "time_series": "tf_keras"}


def application(name):
    """The example, without leaving a module of its short name where another could be meant."""
    return importlib.import_module(name)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_as_with_keras(name):
    """Two epochs from the same weights give the same history, weights and results."""
    example = application(name)
    program = for_keras(example, APPLICATIONS[name])
    training, held_out = example.load(small=True)
    set_random_seed(0)
    ours, theirs = example.make_model(), program.make_model()
    theirs.set_weights(ours.get_weights())
    before = [weight.copy() for weight in ours.get_weights()]
    histories = [
        module.train(model, training, held_out, epochs=2, shuffle=False, verbose=0).history
        for module, model in ((example, ours), (program, theirs))
    ]
    assert any(not np.array_equal(*weights) for weights in zip(before, ours.get_weights(), strict=True))
    same(*histories)
    same(ours.get_weights(), theirs.get_weights())
    same(example.results(ours, held_out), program.results(theirs, held_out))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_program(name, tmp_path, capsys):
    application(name).main(["--small", "--quiet", "--out", str(tmp_path / "new")])
    printed = capsys.readouterr().out
    assert "  epoch 1: " in printed and "loss" in printed
    assert f"  picture: {tmp_path / 'new' / name}.png" in printed
    assert (tmp_path / "new" / f"{name}.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_length(name):
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) < 150


def test_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(SystemExit, match="this example's data come with scikit-learn: pip install scikit-learn"):
        application("digits").load()


def test_what_a_language_model_writes_is_what_it_predicts():
    """Letter by letter with states passed on, the likeliest letters are those of the text read as a whole."""
    docstrings = application("docstrings")
    set_random_seed(0)
    model = docstrings.make_model(units=16)
    text = docstrings.write(model, count=12, temperature=1e-7)
    assert text.startswith(docstrings.START)
    likely = model.predict(docstrings.encode(text)[None], verbose=0)[0].argmax(axis=-1)
    written = docstrings.encode(text[len(docstrings.START):])
    assert likely[len(docstrings.START) - 1 : -1].tolist() == written.tolist()


def test_dates_in_words():
    dates = application("dates")
    day = datetime.date(1984, 5, 3)
    assert [dates.spell(day, way) for way in range(5)] == [
        "Thursday, the 3rd of May 1984", "3 May 1984", "May 3, 1984", "May 3 '84", "5/3/1984"]
    assert dates.spell(datetime.date(2011, 1, 12), 0) == "Wednesday, the 12th of January 2011"
    (x, behind), y = dates.load(small=True)[1]
    assert x.shape == (20, dates.LONGEST) and dates.text(behind[0]) == ">" + dates.text(y[0])[:-1]


class TestTracking:
    def test_a_digit_is_where_it_is_said_to_be(self):
        tracking = application("tracking")
        videos, positions, hidden = tracking.make_videos(np.ones((1, 8, 8)), 5, 0)
        for video, position, unseen in zip(videos, positions, hidden, strict=True):
            assert unseen.sum() == tracking.HIDDEN and not unseen[:4].any()
            for frame, (top, left), missing in zip(video, np.rint(position * tracking.REACH).astype(int), unseen):
                bright = np.argwhere(frame[:, :, 0] >= 1)
                assert len(bright) == (0 if missing else 64)
                assert missing or bright.min(axis=0).tolist() == [top, left]
