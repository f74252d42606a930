# SPDX-License-Identifier: Apache-2.0
"""Tokenizer against Keras 2's, on texts by chance; Keras 3 has none."""

from __future__ import annotations

import numpy as np
import pytest
from tf_keras.preprocessing import text as theirs

from fastrnn.preprocessing import text

WORDS = ["The", "the", "cat's", "sat,", "on-the", "mat!", "É", "é\tx", "b\nc", "", "42", "[UNK]", "_", "\xa0nbsp",
         "日本"]


def texts(seed, count=12):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(0, 9))) for _ in range(count)]


@pytest.mark.parametrize("options", [
    {}, {"num_words": 6}, {"oov_token": "[UNK]"}, {"oov_token": "the", "num_words": 5}, {"lower": False},
    {"char_level": True}, {"char_level": True, "num_words": 8, "oov_token": "?"}, {"filters": "é", "split": "t"},
    {"analyzer": str.split},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_is_keras(options, seed):
    ours, other = text.Tokenizer(**options), theirs.Tokenizer(**options)
    for part in texts(seed), texts(seed + 10), [["The", "a"], ["a"]]:
        for tokenizer in ours, other:
            tokenizer.fit_on_texts(part)
    new = texts(seed + 20)
    sequences = other.texts_to_sequences(new)
    assert ours.texts_to_sequences(new) == sequences
    assert ours.sequences_to_texts(sequences) == other.sequences_to_texts(sequences)
    for mode in "binary", "count", "freq", "tfidf":
        np.testing.assert_allclose(ours.texts_to_matrix(new, mode), other.texts_to_matrix(new, mode), rtol=1e-12)
    for name in "word_index", "index_word", "word_counts", "word_docs", "index_docs", "document_count":
        assert getattr(ours, name) == getattr(other, name)
    if "analyzer" not in options:
        for one, module in (ours, theirs), (other, text):
            again = module.tokenizer_from_json(one.to_json())
            assert again.texts_to_sequences(new) == sequences


@pytest.mark.parametrize("options", [{}, {"lower": False}, {"filters": "a", "split": "t"}, {"filters": ""}], ids=str)
def test_words(options):
    for one in texts(5):
        assert text.text_to_word_sequence(one, **options) == theirs.text_to_word_sequence(one, **options)
