# SPDX-License-Identifier: Apache-2.0
"""Speech of unequal lengths: which of nine men said the two vowels?

Each utterance is 7 to 29 frames of 12 cepstrum coefficients of linear prediction. The shorter ones are padded, and a
mask keeps the padding from the LSTM. The data, Japanese Vowels of Kudo, Toyama and Shimbo (1999), are those that aeon
ships: 30 utterances of each man to train on, and 370 others held out.

    python examples/speakers.py
"""

from __future__ import annotations

import numpy as np
from command_line import folder, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Bidirectional, Dense, Masking
from fastrnn.models import Model
from fastrnn.preprocessing.sequence import pad_sequences
from fastrnn.utils import set_random_seed

EPOCHS = 60
FRAMES, COEFFICIENTS, SPEAKERS = 29, 12, 9


def read(name, count=None):
    """Utterances (utterances, frames, coefficients), padded with zeros in front, and who speaks (utterances,), from 0.

    A line of the file has one coefficient of all frames after another, between colons, and the speaker at its end.
    """
    path = folder("aeon", "aeon") / "datasets" / "data" / "JapaneseVowels" / f"JapaneseVowels_{name}.ts"
    lines = path.read_text(encoding="utf-8").partition("@data\n")[2].split()
    rows = [line.split(":") for line in (lines if count is None else lines[:: len(lines) // count])]
    utterances = [np.array([series.split(",") for series in row[:-1]], dtype="float32").T for row in rows]
    return pad_sequences(utterances, FRAMES, dtype="float32"), np.array([int(row[-1]) - 1 for row in rows])


def load(small=False):
    """To train on, and held out."""
    return [read(name, 60 if small else None) for name in ("TRAIN", "TEST")]


def make_model(units=32):
    frames = Input((FRAMES, COEFFICIENTS))
    heard = Bidirectional(LSTM(units))(Masking()(frames))
    model = Model(frames, Dense(SPEAKERS, activation="softmax")(heard))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=16, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def results(model, held_out):
    """The share of held-out utterances whose speaker is named rightly."""
    x, y = held_out
    return {"accuracy": float(np.mean(model.predict(x, verbose=0).argmax(axis=-1) == y))}


def draw(figure, model, held_out):
    """Whom the network hears when each of the nine speaks, and an utterance of three of them."""
    x, y = held_out
    counts = np.zeros((SPEAKERS, SPEAKERS), dtype=int)
    np.add.at(counts, (y, model.predict(x, verbose=0).argmax(axis=-1)), 1)
    heard, *frames = (figure.add_subplot(grid) for grid in grids(figure))
    heard.imshow(np.sqrt(counts), cmap="Blues")
    for speaker, named in np.argwhere(counts):
        heard.text(named, speaker, counts[speaker, named], ha="center", va="center",
                   color="white" if counts[speaker, named] > counts.max() / 3 else "black")
    heard.set(xticks=range(SPEAKERS), xticklabels=range(1, SPEAKERS + 1), xlabel="speaker that is named",
              yticks=range(SPEAKERS), yticklabels=range(1, SPEAKERS + 1), ylabel="speaker",
              title="held-out utterances")
    for speaker, axes in enumerate(frames):
        utterance = x[np.flatnonzero(y == speaker)[0]]
        axes.imshow(utterance[utterance.any(axis=-1)].T, cmap="coolwarm", vmin=-2, vmax=2, aspect="auto")
        axes.set(title=f"an utterance of speaker {speaker + 1}", ylabel="coefficient")
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("frame")


def grids(figure):
    """The left half of the figure, and three places in its right half."""
    grid = figure.add_gridspec(3, 2)
    return grid[:, 0], grid[0, 1], grid[1, 1], grid[2, 1]


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "speakers", args.out)


if __name__ == "__main__":
    main()
