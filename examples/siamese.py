# SPDX-License-Identifier: Apache-2.0
"""Two inputs, one network: is this the same word with typing errors, or another word?

    receive  recieve    the same
    receive  resolve    another

Both words go through the same Embedding and the same LSTM, so both sides learn at once and what is learnt of one side
holds for the other. The squared difference and the product of the two results, in which left and right do not matter,
tell the last layers how alike the words are.

The words are those of Python's own manual, which every Python brings with it; the typing errors are made by rule. The
words of the test have never been in training: the network must compare letters, not remember words.

    python examples/siamese.py --words receive recieve
"""

from __future__ import annotations

import argparse
import re
import string
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

from fastrnn import Input
from fastrnn.layers import LSTM, Dense, Embedding, concatenate, multiply, subtract
from fastrnn.models import Model
from fastrnn.preprocessing.sequence import pad_sequences
from fastrnn.utils import set_random_seed

LETTERS = string.ascii_lowercase
LENGTH = 14  # of the longest words, and two letters typed twice
EPOCHS = 10
HELD_OUT = 0.2

KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {key: row[max(i - 1, 0) : i] + row[i + 1 : i + 2] for row in KEYBOARD for i, key in enumerate(row)}


def load_words():
    """The words of 5 to 12 letters in Python's manual, in alphabetical order."""
    text = " ".join(topics.values())
    return sorted(set(re.findall(r"(?<![\w.`'-])[a-z]{5,12}(?![\w`'-])", text)))


def mistype(word, rng):
    """The word with one typing error: two letters exchanged, one left out, one twice, or the key beside it."""
    at = int(rng.integers(len(word) - 1))
    before, letter, after = word[:at], word[at], word[at + 1 :]
    kind = rng.integers(4)
    if kind == 0:
        return before + after[0] + letter + after[1:]
    if kind == 1:
        return before + after
    if kind == 2:
        return before + letter * 2 + after
    return before + rng.choice(list(NEIGHBOURS[letter])) + after


def make_pairs(words, count, seed):
    """Pairs of a word and a mistyped word, one or two errors in it, and as many labels: 1 where it is the same word.

    Half are the same; the other half begin with the same letter, so that the first letter does not give them away.
    """
    rng = np.random.default_rng(seed)
    by_letter = {letter: [word for word in words if word[0] == letter] for letter in LETTERS}
    pairs, labels = [], []
    while len(pairs) < count:
        word = str(rng.choice(words))
        same = len(pairs) % 2 == 0
        other = word if same else str(rng.choice(by_letter[word[0]]))
        if not same and other == word:
            continue
        for _ in range(rng.integers(1, 3)):
            other = mistype(other, rng)
        pairs.append((word, other))
        labels.append(same)
    return pairs, np.array(labels, dtype="float32")[:, None]


def encode(pairs):
    """The left words and the right words as arrays of letters' indices (pairs, 14); 0 is the padding."""
    return [pad_sequences([[LETTERS.index(letter) + 1 for letter in word] for word in side], LENGTH)
            for side in zip(*pairs, strict=True)]


def make_model(units=64):
    """The shared layers, called twice, and what compares their results."""
    left, right = Input((LENGTH,), dtype="int32"), Input((LENGTH,), dtype="int32")
    embedding = Embedding(len(LETTERS) + 1, 16, mask_zero=True)
    lstm = LSTM(units)
    a, b = lstm(embedding(left)), lstm(embedding(right))
    difference = subtract([a, b])
    alike = concatenate([multiply([difference, difference]), multiply([a, b])])
    output = Dense(1, activation="sigmoid")(Dense(32, activation="relu")(alike))
    model = Model([left, right], output)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model




def split(words, seed):
    """The words to train on and those that are held out, at random."""
    order = np.random.default_rng(seed).permutation(len(words))
    count = round(len(words) * HELD_OUT)
    return [words[i] for i in order[count:]], [words[i] for i in order[:count]]


def train(model, pairs, validation_pairs, epochs, shuffle=True, verbose=1):
    """Train on pairs with their labels, others being for validation."""
    x, y = encode(pairs[0]), pairs[1]
    validation = encode(validation_pairs[0]), validation_pairs[1]
    return model.fit(x, y, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=validation, verbose=verbose)


def run(epochs=EPOCHS, seed=0, pairs=8000, verbose=1):
    """Train a model on pairs of the words, a fifth of the words being held out.

    Returns:
        The model, its history and its accuracy on pairs of the held-out words.
    """
    set_random_seed(seed)
    words, held_out = split(load_words(), seed)
    training, validation = make_pairs(words, pairs, seed), make_pairs(held_out, pairs // 4, seed + 1)
    model = make_model()
    history = train(model, training, validation, epochs, verbose=verbose)
    _, accuracy = model.evaluate(encode(validation[0]), validation[1], batch_size=128, verbose=0)
    return model, history, accuracy


def predict(model, left, right):
    """The probability that two words are the same."""
    return float(model.predict(encode([(left, right)]), verbose=0)[0, 0])


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train a network to know a word again that has typing errors.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", nargs=2, metavar="WORD", help="two words to compare; else held-out ones")
    parser.add_argument("--out", type=Path, default=Path("plots"), help="folder for the plot")
    parser.add_argument("--quiet", action="store_true", help="do not show the epochs")
    args = parser.parse_args(arguments)
    for word in args.words or ():
        if not re.fullmatch(f"[a-z]{{1,{LENGTH}}}", word):
            parser.error(f"--words must be of 1 to {LENGTH} letters a-z, got {word!r}")

    words, held_out = split(load_words(), args.seed)
    print(f"{len(words)} words to train on, {len(held_out)} held out")
    model, history, accuracy = run(args.epochs, args.seed, verbose=0 if args.quiet else 1)
    end = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.history.items())
    print(f"  epoch {args.epochs}: {end}")
    print(f"  accuracy on pairs of held-out words: {accuracy:.4f}")
    shown = [tuple(args.words)] if args.words else make_pairs(held_out, 6, args.seed + 1)[0]
    for left, right in shown:
        print(f"  probability that they are the same: {predict(model, left, right):.3f} ({left}, {right})")
    try:
        figure = history.plot()
    except ImportError as error:
        print(f"  no plot: {error}")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "siamese.png")
    print(f"  plot: {args.out / 'siamese.png'}")


if __name__ == "__main__":
    main()
