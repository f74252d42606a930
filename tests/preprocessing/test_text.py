# SPDX-License-Identifier: Apache-2.0
"""Tokenizer and text_to_word_sequence: values by hand, properties, and Keras's class beside ours."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras.src.legacy.preprocessing import text as keras_text

from fastrnn.preprocessing.text import Tokenizer, text_to_word_sequence, tokenizer_from_json

CORPUS = ["The cat sat on the mat.", "The dog sat on the log.", "Dogs and cats living together!"]

# Small alphabets, so that words repeat, and every kind of character that the default filters treat differently.
texts = st.lists(st.one_of(st.text("abAB '.,\t\nßİ", max_size=20), st.lists(st.text("abAB.", max_size=3), max_size=5)))
options = st.fixed_dictionaries(
    {},
    optional={
        "num_words": st.integers(0, 6),
        "filters": st.sampled_from(["", ".", " a"]),
        "lower": st.booleans(),
        "split": st.sampled_from([" ", ",", "ab"]),
        "char_level": st.booleans(),
        "oov_token": st.sampled_from(["<OOV>", "a"]),
    },
)


def both(**arguments):
    return Tokenizer(**arguments), keras_text.Tokenizer(**arguments)


def state(tokenizer):
    return (
        list(tokenizer.word_counts.items()),
        dict(tokenizer.word_docs),
        tokenizer.word_index,
        tokenizer.index_word,
        dict(tokenizer.index_docs),
        tokenizer.document_count,
    )


class TestTextToWordSequence:
    def test_defaults(self):
        words = ["don't", "panic", "it's", "42", "times", "so", "so", "good"]
        assert text_to_word_sequence("Don't panic:\tit's 42-times so/so\nGOOD!") == words

    def test_options(self):
        assert text_to_word_sequence("A.b c.D", lower=False) == ["A", "b", "c", "D"]
        assert text_to_word_sequence("A.b c.D", filters="") == ["a.b", "c.d"]
        assert text_to_word_sequence("one, two;three", filters=";", split=", ") == ["one", "two", "three"]
        assert text_to_word_sequence("") == []

    def test_unicode(self):
        assert text_to_word_sequence("Ünïcode — ÉTÉ 東京") == ["ünïcode", "—", "été", "東京"]

    def test_errors(self):
        with pytest.raises(TypeError, match=r"input_text must be a str, got bytes b'film'"):
            text_to_word_sequence(b"film")
        with pytest.raises(ValueError, match="split must not be empty"):
            text_to_word_sequence("film", split="")

    @given(st.text(), st.booleans(), st.sampled_from([" ", ",", "ab"]))
    def test_same_as_keras(self, text, lower, split):
        expected = keras_text.text_to_word_sequence(text, lower=lower, split=split)
        assert text_to_word_sequence(text, lower=lower, split=split) == expected


class TestFitOnTexts:
    def test_counts_and_indices(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(CORPUS)
        assert tokenizer.document_count == 3
        assert list(tokenizer.word_counts.items())[:5] == [("the", 4), ("cat", 1), ("sat", 2), ("on", 2), ("mat", 1)]
        assert tokenizer.word_docs["the"] == 2
        # Most frequent first; among equals the first seen.
        assert tokenizer.word_index == {
            "the": 1, "sat": 2, "on": 3, "cat": 4, "mat": 5, "dog": 6, "log": 7,
            "dogs": 8, "and": 9, "cats": 10, "living": 11, "together": 12,
        }  # fmt: skip
        assert tokenizer.index_word[1] == "the"
        assert tokenizer.index_docs == {i: 2 if i <= 3 else 1 for i in range(1, 13)}

    def test_second_fit_adds(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(["b a", "a"])
        tokenizer.fit_on_texts(["b b b"])
        assert tokenizer.word_index == {"b": 1, "a": 2}
        assert tokenizer.word_counts == {"b": 4, "a": 2}
        assert tokenizer.word_docs == {"b": 2, "a": 2}
        assert tokenizer.document_count == 3

    def test_takes_a_generator_and_an_array(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(text for text in CORPUS)
        expected = state(tokenizer)
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(np.array(CORPUS))
        assert state(tokenizer) == expected

    def test_lists_of_words_are_not_split(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts([["New York", "new york", "!"]])
        assert tokenizer.word_index == {"new york": 1, "!": 2}

    def test_char_level(self):
        tokenizer = Tokenizer(char_level=True)
        tokenizer.fit_on_texts(["Hello, you"])
        assert tokenizer.word_index == {"l": 1, "o": 2, "h": 3, "e": 4, ",": 5, " ": 6, "y": 7, "u": 8}

    def test_analyzer(self):
        tokenizer = Tokenizer(analyzer=lambda text: (pair for pair in text.split("/")))
        tokenizer.fit_on_texts(["A/B", "A"])
        assert tokenizer.word_index == {"A": 1, "B": 2}
        assert tokenizer.word_docs == {"A": 2, "B": 1}
        assert tokenizer.texts_to_sequences(["B/A/C"]) == [[2, 1]]

    @pytest.mark.parametrize("bad", [float("nan"), None, b"film", 3, ["film", None], np.array(["film"])])
    def test_bad_text_leaves_the_tokenizer_as_it_was(self, bad):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(CORPUS)
        before = state(tokenizer)
        with pytest.raises(TypeError, match=r"Tokenizer.fit_on_texts: expected text 1 to be a str or a list of str"):
            tokenizer.fit_on_texts(["fine", bad])
        assert state(tokenizer) == before
        with pytest.raises(TypeError, match=r"Tokenizer.texts_to_sequences: expected text 0"):
            tokenizer.texts_to_sequences([bad])

    @given(options, texts, texts)
    def test_same_as_keras(self, arguments, first, second):
        ours, theirs = both(**arguments)
        for corpus in (first, second):
            ours.fit_on_texts(corpus)
            theirs.fit_on_texts(corpus)
            assert state(ours) == state(theirs)
        assert ours.texts_to_sequences(second + first) == theirs.texts_to_sequences(second + first)

    @given(texts)
    def test_invariants(self, corpus):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(corpus)
        assert sorted(tokenizer.index_word) == list(range(1, len(tokenizer.word_counts) + 1))
        counts = [tokenizer.word_counts[tokenizer.index_word[i]] for i in sorted(tokenizer.index_word)]
        assert counts == sorted(counts, reverse=True)
        assert all(1 <= n <= tokenizer.word_counts[word] for word, n in tokenizer.word_docs.items())


class TestTextsToSequences:
    def test_num_words_counts_index_0(self):
        tokenizer = Tokenizer(num_words=3)
        tokenizer.fit_on_texts(CORPUS)
        assert tokenizer.texts_to_sequences(["the cat sat on the sofa"]) == [[1, 2, 1]]
        assert len(tokenizer.word_index) == 12

    def test_oov_token(self):
        tokenizer = Tokenizer(num_words=4, oov_token="<OOV>")
        tokenizer.fit_on_texts(CORPUS)
        assert tokenizer.word_index["<OOV>"] == 1
        assert tokenizer.texts_to_sequences(["the cat sat on the sofa"]) == [[2, 1, 3, 1, 2, 1]]
        assert tokenizer.sequences_to_texts([[2, 1, 3, 9, 0]]) == ["the <OOV> sat <OOV> <OOV>"]

    def test_oov_token_before_fitting(self):
        with pytest.raises(ValueError, match=r"oov_token '\?' has no index; call fit_on_texts first"):
            Tokenizer(oov_token="?").texts_to_sequences(["film"])
        assert Tokenizer().texts_to_sequences(["film"]) == [[]]

    def test_there_and_back(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(CORPUS)
        sequences = tokenizer.texts_to_sequences(CORPUS)
        assert sequences[0] == [1, 4, 2, 3, 1, 5]
        assert tokenizer.sequences_to_texts(sequences)[0] == "the cat sat on the mat"
        assert tokenizer.sequences_to_texts([[0, 1, 99], []]) == ["the", ""]
        assert tokenizer.sequences_to_texts(np.array([[1, 4]])) == ["the cat"]

    def test_generators_are_lazy(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(CORPUS)
        endless = iter(lambda: "the cat", None)
        assert next(tokenizer.texts_to_sequences_generator(endless)) == [1, 4]
        assert next(tokenizer.sequences_to_texts_generator(iter(lambda: [1, 4], None))) == "the cat"

    @given(options, texts, st.lists(st.lists(st.integers(0, 12))))
    def test_sequences_to_texts_same_as_keras(self, arguments, corpus, sequences):
        ours, theirs = both(**arguments)
        ours.fit_on_texts(corpus)
        theirs.fit_on_texts(corpus)
        assert ours.sequences_to_texts(sequences) == theirs.sequences_to_texts(sequences)


class TestMatrix:
    @pytest.mark.parametrize(
        "mode, expected",
        [
            ("binary", [[0, 1, 1, 0], [0, 0, 0, 0]]),
            ("count", [[0, 2, 1, 0], [0, 0, 0, 0]]),
            ("freq", [[0, 0.5, 0.25, 0], [0, 0, 0, 0]]),
            # the: (1 + ln 2) ln(1 + 3 / (1 + 2)), sat: ln(1 + 3 / (1 + 2))
            ("tfidf", [[0, 1.1736001944781467, 0.6931471805599453, 0], [0, 0, 0, 0]]),
        ],
    )
    def test_modes(self, mode, expected):
        tokenizer = Tokenizer(num_words=4)
        tokenizer.fit_on_texts(CORPUS)
        matrix = tokenizer.sequences_to_matrix([[1, 2, 1, 7], []], mode)
        assert matrix.dtype == np.float64
        np.testing.assert_allclose(matrix, expected, rtol=1e-15)

    def test_texts_to_matrix(self):
        tokenizer = Tokenizer()
        tokenizer.fit_on_texts(CORPUS)
        matrix = tokenizer.texts_to_matrix(["the cat", "the the"], mode="count")
        assert matrix.shape == (2, 13)
        assert matrix[0, [1, 4]].tolist() == [1, 1]
        assert matrix[1, 1] == 2

    def test_fit_on_sequences(self):
        tokenizer = Tokenizer(num_words=4)
        tokenizer.fit_on_sequences([[1, 1, 2], np.array([1], "int32"), []])
        assert tokenizer.document_count == 3
        assert tokenizer.index_docs == {1: 2, 2: 1}
        matrix = tokenizer.sequences_to_matrix([[1, 2, 3]], "tfidf")
        np.testing.assert_allclose(matrix, [[0, np.log(2), np.log(2.5), np.log(4)]])
        assert tokenizer_from_json(tokenizer.to_json()).index_docs == tokenizer.index_docs

    def test_errors(self):
        tokenizer = Tokenizer(num_words=4)
        with pytest.raises(ValueError, match=r"mode must be one of .*'freq'\), got 'counts'"):
            tokenizer.sequences_to_matrix([[1]], "counts")
        with pytest.raises(ValueError, match="mode='tfidf' needs fit_on_texts"):
            tokenizer.sequences_to_matrix([[1]], "tfidf")
        with pytest.raises(ValueError, match="give num_words or fit_on_texts first"):
            Tokenizer().sequences_to_matrix([[1]])
        with pytest.raises(ValueError, match="sequence 1 holds the index -1, which is below 0"):
            tokenizer.sequences_to_matrix([[1], [2, -1]])
        for bad in (3, "ab", [1.5], [[1]], [None]):
            with pytest.raises(
                TypeError, match="sequences_to_matrix: expected sequence 0 to be a list of word indices"
            ):
                tokenizer.sequences_to_matrix([bad])
            with pytest.raises(TypeError, match="fit_on_sequences: expected sequence 0"):
                tokenizer.fit_on_sequences([bad])
        assert tokenizer.document_count == 0

    @given(
        options,
        texts,
        st.lists(st.lists(st.integers(0, 8), max_size=8), max_size=5),
        st.sampled_from(["binary", "count", "freq", "tfidf"]),
    )
    def test_same_as_keras(self, arguments, corpus, sequences, mode):
        ours, theirs = both(**arguments)
        for tokenizer in (ours, theirs):
            tokenizer.fit_on_texts([*corpus, "xyz"])
            tokenizer.fit_on_sequences([[1, 2, 2], [1]])
        assert state(ours) == state(theirs)
        expected = theirs.sequences_to_matrix(sequences, mode)
        np.testing.assert_allclose(ours.sequences_to_matrix(sequences, mode), expected, rtol=1e-14)
        np.testing.assert_allclose(ours.texts_to_matrix(corpus, mode), theirs.texts_to_matrix(corpus, mode), rtol=1e-14)


class TestConfig:
    def test_arguments(self):
        assert Tokenizer(num_words=5, document_count=7).document_count == 7
        with pytest.warns(UserWarning, match="nb_words is the old name of num_words"):
            assert Tokenizer(nb_words=5).num_words == 5
        with pytest.raises(TypeError, match=r"unknown arguments \['words'\]"):
            Tokenizer(words=5)
        with pytest.raises(ValueError, match="num_words must be positive or None, got -1"):
            Tokenizer(num_words=-1)

    @given(options, texts, texts)
    def test_json_to_and_from_keras(self, arguments, corpus, more):
        ours, theirs = both(**arguments)
        ours.fit_on_texts(corpus)
        theirs.fit_on_texts(corpus)
        assert json.loads(ours.to_json()).keys() == json.loads(theirs.to_json()).keys()
        assert ours.get_config().keys() == theirs.get_config().keys()
        loaded = tokenizer_from_json(theirs.to_json())
        assert state(loaded) == state(ours)
        assert state(keras_text.tokenizer_from_json(ours.to_json())) == state(theirs)
        assert loaded.get_config() == tokenizer_from_json(ours.to_json(indent=1)).get_config() | {
            "word_docs": loaded.get_config()["word_docs"],  # Keras writes the words of a text in the order of a set
            "index_docs": loaded.get_config()["index_docs"],
        }
        # A loaded tokenizer can be fitted further.
        loaded.fit_on_texts(more)
        ours.fit_on_texts(more)
        assert state(loaded) == state(ours)
        assert loaded.texts_to_sequences(more) == ours.texts_to_sequences(more)

    def test_analyzer_is_not_stored(self):
        with pytest.warns(UserWarning, match="set tokenizer.analyzer after loading"):
            Tokenizer(analyzer=str.split).to_json()

    @pytest.mark.parametrize("bad", ["", "{}", "[]", "3", '{"config": {}}', '{"config": {"word_counts": "{}"}}'])
    def test_bad_json(self, bad):
        with pytest.raises(ValueError, match="tokenizer_from_json: expected what Tokenizer.to_json writes"):
            tokenizer_from_json(bad)
