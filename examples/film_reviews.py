# SPDX-License-Identifier: Apache-2.0
"""Film reviews: an LSTM reads a review and says whether it is for or against the film."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from film_review_data import load_reviews

from fastrnn.layers import LSTM, Dense, Embedding
from fastrnn.models import Sequential
from fastrnn.preprocessing.sequence import pad_sequences
from fastrnn.preprocessing.text import Tokenizer
from fastrnn.utils import set_random_seed

NUM_WORDS = 10000
MAXLEN = 100
VALIDATION_SPLIT = 0.2


def make_model():
    """Word vectors, an LSTM over them, and the probability that the review is for the film."""
    model = Sequential()
    model.add(Embedding(NUM_WORDS, 128, input_length=MAXLEN))
    model.add(LSTM(128, dropout=0.2, recurrent_dropout=0.2))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def encode(tokenizer, texts):
    """The texts as an array of word indices (texts, 100)."""
    return pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=MAXLEN)


def shuffle(texts, labels, seed):
    """The reviews in a random order: `validation_split` takes the last ones, and a file may have them sorted."""
    order = np.random.default_rng(seed).permutation(len(texts))
    return [texts[i] for i in order], labels[order]


def run(texts, labels, epochs=3, seed=0, verbose=1):
    """Train a model, the last fifth of the reviews being for validation.

    Returns:
        The model, its history and the tokenizer.
    """
    set_random_seed(seed)
    tokenizer = Tokenizer(num_words=NUM_WORDS, lower=True)
    tokenizer.fit_on_texts(texts)
    x = encode(tokenizer, texts)

    model = make_model()
    history = model.fit(x, labels, epochs=epochs, batch_size=128, validation_split=VALIDATION_SPLIT, verbose=verbose)
    return model, history, tokenizer


def predict(model, tokenizer, review):
    """The probability that a review is for the film."""
    return float(model.predict(encode(tokenizer, [review]), verbose=0)[0, 0])


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train an LSTM to tell favourable film reviews from others.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path, help="a UTF-8 file of your own with a review;rating a line")
    parser.add_argument("--middle", type=float, default=0.0, help="the rating that is neither for nor against (0)")
    parser.add_argument(
        "--review",
        default="A warm, funny and beautifully acted film that stays with you.",
        help="the review to predict",
    )
    parser.add_argument("--out", type=Path, default=Path("plots"), help="folder for the plot")
    parser.add_argument("--quiet", action="store_true", help="do not show the epochs")
    args = parser.parse_args(arguments)

    try:
        texts, labels = load_reviews(args.csv, args.middle)
    except (OSError, ValueError, RuntimeError) as error:
        parser.exit(1, f"film_reviews: {error}\n")
    texts, labels = shuffle(texts, labels, args.seed)
    print(f"{len(texts)} reviews, {labels.mean():.1%} of them favourable")
    model, history, tokenizer = run(texts, labels, args.epochs, args.seed, verbose=0 if args.quiet else 1)

    end = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.history.items())
    print(f"  epoch {args.epochs}: {end}")
    held_out = int(len(texts) * (1 - VALIDATION_SPLIT))
    _, accuracy = model.evaluate(encode(tokenizer, texts[held_out:]), labels[held_out:], batch_size=128, verbose=0)
    print(f"  accuracy on the last {len(texts) - held_out} reviews: {accuracy:.4f}")
    print(f"  probability that this is favourable: {predict(model, tokenizer, args.review):.3f} ({args.review!r})")
    try:
        figure = history.plot()
    except ImportError as error:
        print(f"  no plot: {error}")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "film_reviews.png")
    print(f"  plot: {args.out / 'film_reviews.png'}")


if __name__ == "__main__":
    main()
