# SPDX-License-Identifier: Apache-2.0
"""Captions: a convolution looks at a picture, and an LSTM that is told what it saw writes what is in it.

    a dark three above a pale zero

The pictures are made: one or two handwritten digits, of those that scikit-learn ships, dark or pale, on noise. Half of
the digits are never seen in training.

    python examples/captions.py
"""

from __future__ import annotations

import numpy as np
from command_line import need, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Concatenate, Conv2D, Dense, Embedding, Flatten, MaxPooling2D, RepeatVector
from fastrnn.models import Model
from fastrnn.utils import set_random_seed

EPOCHS = 15
SIZE, DIGIT = 20, 8  # pixels of a picture's side, and of a digit's
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = [".", "a", "pale", "dark", "above", "beside", *NAMES]  # the first ends a caption, and begins it
LENGTH = 8  # words, the end included


def make_pictures(digits, labels, count, seed):
    """Pictures (count, 20, 20, 1), and captions, words' indices (count, 8)."""
    rng = np.random.default_rng(seed)
    pictures = rng.uniform(0, 0.2, (count, SIZE, SIZE, 1)).astype("float32")
    captions = np.zeros((count, LENGTH), dtype="int32")
    for picture, caption in zip(pictures, captions):
        axis, words = rng.integers(-1, 2), []  # along which a second digit follows, if not -1
        corner = rng.integers(0, SIZE - DIGIT + 1, 2)
        for place in range(1 if axis < 0 else 2):
            if axis >= 0:
                corner[axis] = rng.integers(0, SIZE // 2 - DIGIT + 1) + place * SIZE // 2
            (top, left), chosen, shade = corner, rng.integers(len(digits)), rng.integers(2)
            picture[top : top + DIGIT, left : left + DIGIT, 0] += digits[chosen] * (0.4, 1)[shade]
            words += ["above", "beside"][axis : axis + place] + ["a", ("pale", "dark")[shade], NAMES[labels[chosen]]]
        caption[: len(words)] = [WORDS.index(word) for word in words]
    return pictures, captions


def load(small=False):
    """Pictures and their captions one word behind, and captions: to train on, and others of other digits."""
    data, count = need("sklearn.datasets", "scikit-learn").load_digits(), 100 if small else 12000
    parts = (make_pictures(data.images[half::2] / 16, data.target[half::2], count // (1 + 5 * half), half)
             for half in (0, 1))
    return [([pictures, behind(captions)], captions) for pictures, captions in parts]


def behind(captions):
    return np.insert(captions[:, :-1], 0, 0, axis=1)


def make_model(units=128):
    """A looker, and a writer that for each word is told what was seen and, in training, the right word before it."""
    picture, words = Input((SIZE, SIZE, 1)), Input((LENGTH,), dtype="int32")
    seen = MaxPooling2D(2)(Conv2D(32, 5, padding="same", activation="relu")(picture))
    seen = MaxPooling2D(2)(Conv2D(64, 3, padding="same", activation="relu")(seen))
    seen = Dense(2 * units, activation="relu")(Flatten()(seen))
    told = Concatenate()([Embedding(len(WORDS), 16)(words), RepeatVector(LENGTH)(seen)])
    written = LSTM(units, return_sequences=True)(told)
    model = Model([picture, words], Dense(len(WORDS), activation="softmax")(written))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def describe(model, pictures):
    """The captions (pictures, 8) that the model writes: each time the likeliest word, which is read in its turn."""
    captions = np.zeros((len(pictures), LENGTH), dtype="int32")
    for i in range(LENGTH):
        captions[:, i] = model.predict([pictures, behind(captions)], verbose=0)[:, i].argmax(axis=-1)
    return captions


def text(caption):
    return " ".join(WORDS[i] for i in caption).partition(" .")[0]


def results(model, held_out):
    """The share of captions that are right to the last word, and of digits, shades and places in all captions."""
    (pictures, _), right = held_out
    found = describe(model, pictures)
    kinds = {"digits": NAMES, "shades": ["pale", "dark"], "places": ["above", "beside"]}
    return {"captions right": float((found == right).all(axis=-1).mean())} | {
        f"{kind} right": float((found == right)[np.isin(right, [WORDS.index(word) for word in words])].mean())
        for kind, words in kinds.items()}


def draw(figure, model, held_out):
    """Eight pictures with their captions, a wrong one in red."""
    (pictures, _), right = held_out
    captions = describe(model, pictures[:8])
    for picture, caption, expected, axes in zip(pictures, captions, right, figure.subplots(2, 4).flat):
        axes.imshow(picture[:, :, 0], cmap="gray_r", vmin=0, vmax=1.2)
        axes.set_title(text(caption).replace("above", "above\n").replace("beside", "beside\n"), fontsize=10,
                       color="black" if (caption == expected).all() else "red")
        axes.axis("off")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "captions", args.out)


if __name__ == "__main__":
    main()
