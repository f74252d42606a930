# SPDX-License-Identifier: Apache-2.0
"""Two inputs and two outputs: an advertisement for a used bicycle and its figures; its worth, and whether it is sold.

    text       racing bike with worn brakes and good tyres
    figures    3 years, 2,400 km, 760 euros asked
    worth      in euros, a number
    sold       within a week, yes or no

An LSTM reads the text, a Dense layer the figures, and what both make of it is joined. Each output has a loss and a
weight of its own, given by name, as the inputs and targets are.

The data are made by a rule, which `worth` has: the price of a new bicycle of the kind, a tenth less a year and 2 % less
every 1,000 km, minus the repairs that the text asks for. Whether brakes or tyres are worn is a question of the order of
the words, which is why an LSTM reads them. What a bicycle fetches varies by 5 %, and it is sold if the buyer's idea of
its worth, which varies by 10 %, is above the price that is asked.

    python examples/two_inputs.py --epochs 10
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fastrnn import Input
from fastrnn.layers import LSTM, Dense, Embedding, concatenate
from fastrnn.models import Model
from fastrnn.utils import set_random_seed

NEW = {"children's": 200, "folding": 450, "city": 600, "mountain": 900, "racing": 1200}  # euros
REPAIRS = {"brakes": 60, "tyres": 80, "gears": 140, "wheels": 180}  # euros, if broken
STATES = {"new": 0.0, "good": 0.1, "worn": 0.5, "broken": 1.0}  # share of the repair
WORDS = ["", "bike", "with", "and", *NEW, *REPAIRS, *STATES]  # by their indices; 0 is the padding
LENGTH = 11
EUROS = 1000  # the unit of worth and price, so that the network works with numbers of about 1
EPOCHS = 30


def make_text(kind, parts):
    """The advertisement's words: `parts` are pairs of a part and its state."""
    return f"{kind} bike with " + " and ".join(f"{state} {part}" for part, state in parts)


def worth(kind, parts, years, km):
    """What the bicycle is worth, in euros; 20 at least."""
    repairs = sum(REPAIRS[part] * STATES[state] for part, state in parts)
    return max(NEW[kind] * 0.9**years * 0.98 ** (km / 1000) - repairs, 20.0)


def encode(texts):
    """The texts as an array of words' indices (texts, 11)."""
    x = np.zeros((len(texts), LENGTH), dtype="int32")
    for row, text in zip(x, texts, strict=True):
        words = text.split()
        row[: len(words)] = [WORDS.index(word) for word in words]
    return x


def scale(figures):
    """The years, kilometres and euros asked as an array (bicycles, 3), in units that make them about 1."""
    return (np.array(figures) / (10, 10_000, EUROS)).astype("float32")


def make_data(count, seed):
    """Inputs and targets of `count` random bicycles, each by name."""
    rng = np.random.default_rng(seed)
    texts, figures, values, sold = [], [], [], []
    for _ in range(count):
        kind = str(rng.choice(list(NEW)))
        parts = [(str(part), str(rng.choice(list(STATES))))
                 for part in rng.choice(list(REPAIRS), rng.integers(1, 4), replace=False)]
        years, km = rng.uniform(0, 10), rng.uniform(0, 10_000)
        value = worth(kind, parts, years, km)
        asked = value * rng.uniform(0.5, 1.5)
        texts.append(make_text(kind, parts))
        figures.append((years, km, asked))
        values.append(value * (1 + 0.05 * rng.standard_normal()) / EUROS)
        sold.append(value * (1 + 0.1 * rng.standard_normal()) > asked)
    x = {"text": encode(texts), "figures": scale(figures)}
    y = {"worth": np.array(values, dtype="float32")[:, None], "sold": np.array(sold, dtype="float32")[:, None]}
    return x, y


def make_model():
    """A branch for the text, one for the figures, and two outputs of what both have made."""
    text = Input((LENGTH,), dtype="int32", name="text")
    figures = Input((3,), name="figures")
    read = LSTM(32)(Embedding(len(WORDS), 16, mask_zero=True)(text))
    both = concatenate([read, Dense(16, activation="relu")(figures)])
    both = Dense(64, activation="relu")(both)
    outputs = {"worth": Dense(1, name="worth")(both), "sold": Dense(1, activation="sigmoid", name="sold")(both)}
    model = Model({"text": text, "figures": figures}, outputs)
    model.compile(
        optimizer="adam",
        loss={"worth": "mse", "sold": "binary_crossentropy"},
        loss_weights={"worth": 10.0, "sold": 1.0},
        metrics={"worth": ["mae"], "sold": ["accuracy"]},
    )
    return model


def train(model, data, validation_data, epochs, shuffle=True, verbose=1):
    """Train on inputs and targets by name."""
    x, y = data
    return model.fit(x, y, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=validation_data,
                     verbose=verbose)


def run(epochs=EPOCHS, seed=0, count=8000, verbose=1):
    """Train a model, and test it on other bicycles.

    Returns:
        The model, its history and its results on the test data, by name.
    """
    set_random_seed(seed)
    training, validation, test = (make_data(n, [seed, i]) for i, n in enumerate((count, count // 4, count // 4)))
    model = make_model()
    history = train(model, training, validation, epochs, verbose=verbose)
    return model, history, model.evaluate(*test, batch_size=128, verbose=0, return_dict=True)


def predict(model, text, years, km, asked):
    """The worth in euros and the probability that the bicycle is sold."""
    y = model.predict({"text": encode([text]), "figures": scale([(years, km, asked)])}, verbose=0)
    return float(y["worth"][0, 0]) * EUROS, float(y["sold"][0, 0])


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train a network to value used bicycles by a text and figures.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("plots"), help="folder for the plot")
    parser.add_argument("--quiet", action="store_true", help="do not show the epochs")
    args = parser.parse_args(arguments)

    model, history, results = run(args.epochs, args.seed, verbose=0 if args.quiet else 1)
    end = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.history.items())
    print(f"  epoch {args.epochs}: {end}")
    print(f"  test: worth right to {results['worth_mae'] * EUROS:.0f} euros on average, "
          f"sold or not right for {results['sold_accuracy']:.1%}")
    years, km, asked = 3, 2400, 760
    for parts in ([("brakes", "worn"), ("wheels", "good")], [("brakes", "good"), ("wheels", "worn")]):
        text = make_text("racing", parts)
        value, chance = predict(model, text, years, km, asked)
        print(f"  {text}, {years} years, {km} km: worth {value:.0f} euros "
              f"(by the rule {worth('racing', parts, years, km):.0f}), sold for {asked} with probability {chance:.2f}")
    try:
        figure = history.plot(["loss", "worth_mae", "sold_accuracy"])
    except ImportError as error:
        print(f"  no plot: {error}")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "two_inputs.png")
    print(f"  plot: {args.out / 'two_inputs.png'}")


if __name__ == "__main__":
    main()
