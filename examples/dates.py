# SPDX-License-Identifier: Apache-2.0
"""Machine translation with attention: dates as people write them become ISO dates, letter by letter.

    Thursday, the 3rd of May 1984    1984-05-03
    Oct 12 '68                       1968-10-12

A bidirectional LSTM reads the whole date. For each letter that a second LSTM writes, attention weighs the letters that
were read, so that the year can be taken from the end and written first. The 5,000 dates lie between 1950 and 2049
and are spelt in one of five ways each; a fifth of the days is held out.

    python examples/dates.py
"""

from __future__ import annotations

import datetime
import string

import numpy as np
from command_line import parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Attention, Bidirectional, Concatenate, Dense, Embedding
from fastrnn.models import Model
from fastrnn.optimizers import Adam
from fastrnn.preprocessing.sequence import pad_sequences
from fastrnn.utils import set_random_seed

EPOCHS = 8
READ = " ,./'" + string.ascii_letters + string.digits  # by their indices, from 1; 0 is the padding
WRITTEN = "-0123456789>"  # the last begins
LONGEST, LENGTH = 36, 10


def spell(day, way):
    """A day as people write it, in one of five ways."""
    suffix = "th" if 4 <= day.day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return [f"{day:%A}, the {day.day}{suffix} of {day:%B %Y}", f"{day.day} {day:%B %Y}",
            f"{day:%B} {day.day}, {day.year}", f"{day:%b} {day.day} '{day:%y}",
            f"{day.month}/{day.day}/{day.year}"][way]


def encode(texts):
    """The letters' indices of dates to read (dates, 36)."""
    return pad_sequences([[READ.index(letter) + 1 for letter in text] for text in texts], LONGEST)


def load(small=False):
    """Letters read and the ISO letters one behind, and the ISO letters: to train on, and held out."""
    rng = np.random.default_rng(0)
    first = datetime.date(1950, 1, 1)
    days = [first + datetime.timedelta(int(i)) for i in rng.permutation(36524)[: 100 if small else 5000]]
    x = encode([spell(day, rng.integers(5)) for day in days])
    y = np.array([[WRITTEN.index(letter) for letter in day.isoformat()] for day in days], dtype="int32")
    behind = np.insert(y[:, :-1], 0, WRITTEN.index(">"), axis=1)
    count = len(x) // 5
    return ([x[count:], behind[count:]], y[count:]), ([x[:count], behind[:count]], y[:count])


def make_model(units=64):
    """A reader, a writer that is told the right letters, one behind, in training, and attention between the two."""
    read, behind = Input((LONGEST,), dtype="int32"), Input((LENGTH,), dtype="int32")
    letters = Embedding(len(READ) + 1, 32, mask_zero=True)(read)
    memory = Bidirectional(LSTM(units // 2, return_sequences=True))(letters)
    writing = LSTM(units, return_sequences=True, name="writer")(Embedding(len(WRITTEN), 16)(behind))
    context, _ = Attention(name="attention")([writing, memory], return_attention_scores=True)
    hidden = Dense(units, activation="tanh")(Concatenate()([writing, context]))
    model = Model([read, behind], Dense(len(WRITTEN), activation="softmax")(hidden))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=Adam(0.005), metrics=["accuracy"])
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def translate(model, x):
    """What the model writes for dates to read, as letters' indices: each time the likeliest, which is read in turn."""
    behind = np.full((len(x), LENGTH + 1), WRITTEN.index(">"), dtype="int32")
    for i in range(LENGTH):
        behind[:, i + 1] = model.predict([x, behind[:, :-1]], batch_size=256, verbose=0)[:, i].argmax(axis=-1)
    return behind[:, 1:]


def text(indices):
    return "".join(WRITTEN[i] for i in indices)


def results(model, held_out):
    """The share of dates of held-out days that are right to the last letter."""
    (x, _), y = held_out
    return {"right to the last letter": float((translate(model, x) == y).all(axis=-1).mean())}


def draw(figure, model, held_out):
    """Which letters read the attention weighs, for each letter written, in four dates."""
    (x, _), _ = held_out
    written = translate(model, x[:4])
    _, scores = model.get_layer("attention").output
    behind = np.insert(written[:, :-1], 0, WRITTEN.index(">"), axis=1)
    weights = Model(model.inputs, scores).predict([x[:4], behind], verbose=0)
    for date, letters, weight, axes in zip(x, written, weights, figure.subplots(2, 2).flat):
        start = int(np.argmax(date > 0))
        axes.imshow(weight[:, start:], cmap="Blues", aspect="auto")
        axes.set_xticks(range(LONGEST - start), [READ[i - 1] for i in date[start:]], fontsize=7)
        axes.set_yticks(range(LENGTH), text(letters))
    figure.supxlabel("read")
    figure.supylabel("written")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    (x, _), y = held_out
    for date, letters, right in zip(x[:5], translate(model, x[:5]), y):
        read = "".join(READ[i - 1] for i in date[date > 0])
        print(f"  {read} -> {text(letters)}{'' if (letters == right).all() else f' (right: {text(right)})'}")
    save_picture(lambda figure: draw(figure, model, held_out), "dates", args.out)


if __name__ == "__main__":
    main()
