# SPDX-License-Identifier: Apache-2.0
"""Tracking: where is the digit in each frame of a video, also while it is hidden?

A handwritten digit, one of those that scikit-learn ships, flies over a noisy picture and bounces off its edges. For
four of the twenty frames nothing is seen of it. A convolution finds it in each frame; an LSTM remembers where it was
and how fast it went. Half of the digits are never seen in training.

    python examples/tracking.py
"""

from __future__ import annotations

import numpy as np
from command_line import need, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Conv2D, Dense, Flatten, TimeDistributed
from fastrnn.models import Model
from fastrnn.utils import set_random_seed

EPOCHS = 20
FRAMES, SIZE, DIGIT = 20, 20, 8  # frames of a video; pixels of a frame's side, and of a digit's
HIDDEN = 4  # frames
REACH = SIZE - DIGIT  # the largest position of a digit's upper left pixel


def fly(rng):
    """The positions (frames, 2), as shares of the reach, of a digit that flies straight and bounces off the edges."""
    way = rng.uniform(0, 2, 2) + np.arange(FRAMES)[:, None] * rng.uniform(-0.15, 0.15, 2)
    return 1 - np.abs(way % 2 - 1)


def make_videos(digits, count, seed):
    """Videos (count, frames, 20, 20, 1), positions (count, frames, 2), and when the digit is hidden (count, frames)."""
    rng = np.random.default_rng(seed)
    videos = rng.uniform(0, 0.3, (count, FRAMES, SIZE, SIZE, 1)).astype("float32")
    positions, hidden = np.empty((count, FRAMES, 2), dtype="float32"), np.zeros((count, FRAMES), dtype=bool)
    for video, position, unseen in zip(videos, positions, hidden):
        digit = digits[rng.integers(len(digits))]
        position[:] = fly(rng)
        start = rng.integers(4, FRAMES - HIDDEN + 1)
        unseen[start : start + HIDDEN] = True
        for i in np.flatnonzero(~unseen):
            top, left = np.rint(position[i] * REACH).astype(int)
            video[i, top : top + DIGIT, left : left + DIGIT, 0] += digit
    return videos, positions, hidden


def load(small=False):
    """Videos to train on, and others of other digits."""
    digits = need("sklearn.datasets", "scikit-learn").load_digits().images / 16
    count = 64 if small else 2000
    return make_videos(digits[::2], count, 1), make_videos(digits[1::2], count // 4, 2)


def make_model(units=64):
    video = Input((FRAMES, SIZE, SIZE, 1))
    seen = TimeDistributed(Conv2D(8, 5, strides=2, activation="relu"))(video)
    seen = TimeDistributed(Conv2D(16, 3, strides=2, activation="relu"))(seen)
    followed = LSTM(units, return_sequences=True)(TimeDistributed(Flatten())(seen))
    model = Model(video, Dense(2)(followed))
    model.compile(loss="mse", optimizer="adam")
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training[:2], epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out[:2],
                     verbose=verbose)


def results(model, held_out):
    """How far off the positions are on average, in pixels, and how far off the last one seen is from a hidden one."""
    x, y, hidden = held_out
    off = np.linalg.norm(model.predict(x, verbose=0) - y, axis=-1) * REACH
    before = hidden.argmax(axis=1) - 1
    stays = np.linalg.norm(y - y[np.arange(len(y)), before][:, None], axis=-1) * REACH
    return {"pixels off while seen": float(off[~hidden].mean()), "pixels off while hidden": float(off[hidden].mean()),
            "pixels off if a hidden digit stayed": float(stays[hidden].mean())}


def draw(figure, model, held_out):
    """Eight videos, their frames one over the other, with the way of the digit and where it is believed to be."""
    x, y, hidden = (part[:8] for part in held_out)
    for video, right, found, unseen, axes in zip(x, y, model.predict(x, verbose=0), hidden, figure.subplots(2, 4).flat):
        axes.imshow(video[:, :, :, 0].max(axis=0), cmap="gray_r")
        lines = (right, "g.-", "way"), (found, "b.-", "found"), (found[unseen], "r.", "found while hidden")
        for way, style, label in lines:
            middle = way * REACH + (DIGIT - 1) / 2
            axes.plot(middle[:, 1], middle[:, 0], style, label=label)
        axes.axis("off")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "tracking", args.out)


if __name__ == "__main__":
    main()
