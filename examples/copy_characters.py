# SPDX-License-Identifier: Apache-2.0
"""Copying characters: a network reads a string of five letters and writes it rotated by one.

    input    h e l l o
    target   e l l o h

At each letter the network must write the next one. Reading from left to right it has not seen the next one yet, and
can know only the last letter of the target, which is the first of the input: one letter in five right, and one in 52 of
the others by luck, (1 + 4 / 52) / 5 = 0.215. Reading both ways, it can know them all.
"""

from __future__ import annotations

import argparse
import string
from pathlib import Path

import numpy as np

from fastrnn.layers import Bidirectional, Dense, SimpleRNN
from fastrnn.models import Sequential
from fastrnn.utils import set_random_seed, to_categorical

LETTERS = string.ascii_letters
LENGTH = 5


def make_strings(count):
    """`count` random strings."""
    return ["".join(np.random.choice(list(LETTERS), LENGTH)) for _ in range(count)]


def one_hot(strings):
    """The strings as an array (strings, 5, 52)."""
    return to_categorical([[LETTERS.index(letter) for letter in s] for s in strings], num_classes=len(LETTERS))


def rotate(s):
    """The target of a string."""
    return s[1:] + s[0]


def make_data(count):
    """Inputs and targets of `count` random strings."""
    strings = make_strings(count)
    return one_hot(strings), one_hot([rotate(s) for s in strings])


def make_model(bidirectional):
    """A recurrent layer, left to right or both ways, and a choice of a letter at every step."""
    model = Sequential()
    if bidirectional:
        model.add(Bidirectional(SimpleRNN(128, return_sequences=True), input_shape=(None, len(LETTERS))))
    else:
        model.add(SimpleRNN(128, input_shape=(None, len(LETTERS)), return_sequences=True))
    model.add(Dense(len(LETTERS), activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def run(bidirectional, epochs=50, seed=0, verbose=1):
    """Train and test a model.

    Returns:
        The model, its history and its accuracy on the test strings.
    """
    set_random_seed(seed)
    x_train, y_train = make_data(1000)
    x_val, y_val = make_data(1000)
    x_test, y_test = make_data(1000)

    model = make_model(bidirectional)
    history = model.fit(
        x_train, y_train, epochs=epochs, batch_size=128, validation_data=(x_val, y_val), verbose=verbose
    )
    _, accuracy = model.evaluate(x_test, y_test, batch_size=128, verbose=0)
    return model, history, accuracy


def predict(model, s):
    """What the model writes for a string."""
    probabilities = model.predict(one_hot([s]), verbose=0)[0]
    return "".join(LETTERS[i] for i in probabilities.argmax(axis=-1))


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train a recurrent network to rotate strings of five letters by one.")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--string", default="hello", help="the string to predict, of English letters")
    parser.add_argument("--out", type=Path, default=Path("plots"), help="folder for the plots")
    parser.add_argument("--quiet", action="store_true", help="do not show the epochs")
    args = parser.parse_args(arguments)
    if not args.string or not set(args.string) <= set(LETTERS):
        parser.error(f"--string must be of the letters a-z and A-Z, got {args.string!r}")

    for name, bidirectional in (("left to right", False), ("both ways", True)):
        print(f"SimpleRNN, {name}")
        model, history, accuracy = run(bidirectional, args.epochs, args.seed, verbose=0 if args.quiet else 1)
        end = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.history.items())
        print(f"  epoch {args.epochs}: {end}")
        print(f"  test accuracy: {accuracy:.4f}")
        print(f"  {args.string} -> {predict(model, args.string)} (target {rotate(args.string)})")
        try:
            figure = history.plot()
        except ImportError as error:
            print(f"  no plot: {error}")
            continue
        args.out.mkdir(parents=True, exist_ok=True)
        path = args.out / f"copy_characters_{name.replace(' ', '_')}.png"
        figure.savefig(path)
        print(f"  plot: {path}")


if __name__ == "__main__":
    main()
