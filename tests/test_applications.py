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
APPLICATIONS = {"anomalies": "keras", "captions": "keras", "chorales": "keras", "dates": "keras", "digits": "keras",
                "docstrings": "keras", "part_of_speech": "keras", "shares": "keras", "speakers": "keras",
                "spoken_digits": "keras", "time_series": "tf_keras", "tracking": "keras"}
# How near the weights are to Keras's. Adam divides a gradient by its size: where that is all but 0, rounding decides.
NEAR = {"spoken_digits": 2e-3}


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
    same(ours.get_weights(), theirs.get_weights(), NEAR.get(name, 2e-4))
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


def test_files_of_a_package_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="this example's data come with aeon: pip install --no-deps aeon"):
        application("speakers").load()


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


class TestCaptions:
    def test_a_picture_shows_what_is_said(self):
        captions = application("captions")
        ((pictures, behind), right), _ = captions.load(small=True)
        joints = {"above": 0, "beside": 0, "": 0}
        for picture, caption in zip(pictures[:, :, :, 0], map(captions.text, right), strict=True):
            joint = next((word for word in ("above", "beside") if word in caption), "")
            joints[joint] += 1
            assert caption.count("a ") == (2 if joint else 1)
            halves = {"above": (picture[:10], picture[10:]), "beside": (picture[:, :10], picture[:, 10:])}.get(
                joint, (picture,))
            for half, shade in zip(halves, [word for word in caption.split() if word in ("pale", "dark")], strict=True):
                assert (shade == "dark") == (half.max() > 0.7)
        assert min(joints.values()) > 10
        assert (behind[:, 0] == 0).all() and (behind[:, 1:] == right[:, :-1]).all()


class TestChorales:
    def test_scores(self):
        """The chorales, and the first notes of the first as in its score: BWV 10.7, in G minor, moved to A minor."""
        scores = application("chorale_scores")
        whole = scores.chorales(small=True)
        assert len(whole) == 17 and sum(chorale.size for chorale in whole) == 7520
        assert all(chorale.shape[1] == 4 and 0 <= chorale.min() <= chorale.max() < scores.KINDS for chorale in whole)
        keys, starts, lengths = scores.sounding(whole[0][:, 0]).T
        assert keys[:4].tolist() == [76, 79, 76, 76] and starts[:4].tolist() == [0, 4, 8, 10]
        assert (np.diff(starts) == lengths[:-1]).all()

    def test_midi(self, tmp_path):
        scores = application("chorale_scores")
        key = 60 - scores.LOWEST + 2
        scores.write_midi(tmp_path / "one.mid", np.array([[scores.SILENT, key], [key, 0], [0, 0]]))
        assert (tmp_path / "one.mid").read_bytes() == (
            b"MThd\0\0\0\6\0\0\0\1\0\x78MTrk\0\0\0\x1c"
            b"\x80\x80\0\x91\x3c\x50" b"\x80\x80\x3c\x90\x3c\x50"
            b"\x80\x80\x78\x80\x3c\0" b"\x80\x80\0\x81\x3c\0" b"\0\xff\x2f\0")

    def test_a_melody_stays(self):
        chorales = application("chorales")
        melody = np.array([30, 0, 32, 0])
        chorale = chorales.set_melody(chorales.make_model(units=8), melody)
        assert chorale.shape == (4, 4) and chorale[:, 0].tolist() == melody.tolist()


def test_tagged_verses():
    words = application("part_of_speech")
    (_, tags), ((known, _), right, guess, texts) = words.load()
    assert len(tags) == 7061 and (tags > 0).sum() == 122116
    assert texts[0][:5] == ["ἐν", "ἀρχῇ", "ἦν", "ὁ", "λόγος"]
    assert [words.TAGS[i] for i in right[0][:5]] == ["P-", "N-", "V-", "RA", "N-"]
    assert ((known > 0) == (right > 0)).all() and ((guess > 0) == (right > 0)).all()


class TestShares:
    def test_windows(self):
        shares = application("shares")
        dates, days = shares.series()
        assert (dates[0], dates[-1], len(days)) == ("1/5/1999", "12/31/2018", 5030)
        assert days[0, 0] == pytest.approx(np.log(1244.780029 / 1228.099976))
        (x, y), (held_out, last) = shares.load()
        assert x.shape == (5030 - shares.WINDOW - shares.HELD_OUT, shares.WINDOW, 2) and len(held_out) == 1000
        np.testing.assert_array_equal(x[1:, -1], y[:-1])
        np.testing.assert_array_equal(held_out[0, -1], y[-1])
        np.testing.assert_array_equal(held_out[1:, -1], last[:-1])

    def test_explained(self):
        right = np.array([[1, 2], [-1, 4]])
        assert application("shares").explained(right, right).tolist() == [1, 1]
        assert application("shares").explained(0 * right, right).tolist() == [0, 0]


def test_utterances():
    (x, y), (held_out, other) = application("speakers").load()
    assert x.shape == (270, 29, 12) and np.bincount(y).tolist() == [30] * 9
    assert len(held_out) == 370 and np.bincount(other).tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    lengths = [int(row.any(axis=-1).sum()) for row in x]
    assert (min(lengths), max(lengths)) == (7, 26)
    assert x[0, 9, 0] == np.float32(1.860936) and not x[0, :9].any()


class TestSpokenDigits:
    def test_paths(self):
        logits = np.eye(11)[[[0, 3, 3, 0, 3, 1, 1, 0, 10]]]
        assert application("spoken_digits").write(logits) == [[2, 2, 0, 9]]

    def test_a_digit_is_heard_where_it_is_said(self):
        spoken_digits = application("spoken_digits")
        spoken = [np.full(1600, 5.0)]
        recording = spoken_digits.speak([0, 0], spoken, np.random.default_rng(0))
        assert recording.shape == ((120 - 1) * 160 + 256,)
        loud = recording > 2
        assert 2 * 1600 / 1.25 - 10 < loud.sum() < 2 * 1600 / 0.85 + 10
        assert spoken_digits.spectrogram(recording).shape == (120, 32)
