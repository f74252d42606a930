# SPDX-License-Identifier: Apache-2.0
"""Speech recognition with CTC: an LSTM hears one to five spoken digits in noise and writes them down.

The loss, connectionist temporal classification, needs the digits alone, not when each is said. The recordings are those
that captcha ships for its spoken tests, one of each digit by one voice. Each time a digit is said it has another speed
and loudness and follows another pause, in noise as loud as the speech. What is tested is hearing through
noise and telling digits apart that run into each other, not other voices.

    python examples/spoken_digits.py
"""

from __future__ import annotations

import wave

import numpy as np
from command_line import folder, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Bidirectional, Dense
from fastrnn.losses import CTC
from fastrnn.models import Model
from fastrnn.optimizers import Adam
from fastrnn.utils import set_random_seed

EPOCHS = 12
RATE, WINDOW, STRIDE = 8000, 256, 160  # samples a second, of a spectrum, and from one spectrum to the next
FRAMES, BANDS = 120, 32  # spectra of a recording, which lasts 2.4 seconds; frequencies of a spectrum
LONGEST = 5  # digits
NOISE = 0.12  # the deviation of the noise, and of the speech at its loudest


def digits():
    """The ten digits, each an array of samples between -1 and 1."""
    spoken = []
    for digit in range(10):
        with wave.open(str(folder("captcha", "captcha") / "data" / str(digit) / "default.wav")) as file:
            spoken.append(np.frombuffer(file.readframes(file.getnframes()), dtype="uint8") / 128 - 1)
    return spoken


def speak(numbers, spoken, rng):
    """A recording (samples,) of digits, each at a speed, a loudness and after a pause of its own."""
    recording, at = rng.normal(0, NOISE, (FRAMES - 1) * STRIDE + WINDOW), 0
    for number in numbers:
        samples = spoken[number]
        length = round(len(samples) / rng.uniform(0.85, 1.25))
        at += round(RATE * rng.uniform(-0.02, 0.08))
        said = np.interp(np.linspace(0, len(samples) - 1, length), np.arange(len(samples)), samples)
        start, end = max(at, 0), min(max(at, 0) + length, len(recording))
        recording[start:end] += rng.uniform(0.5, 1) * said[: end - start]
        at = end
    return recording


def spectrogram(recording):
    """The logarithms of how strong 32 bands of frequencies are in each of 120 windows (120, 32), about 0."""
    windows = np.lib.stride_tricks.sliding_window_view(recording, WINDOW)[::STRIDE] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(windows)[:, 1:]) ** 2
    return np.log(power.reshape(FRAMES, BANDS, -1).mean(axis=-1) + 1e-3)


def load(small=False):
    """Spectrograms (recordings, 120, 32), and the digits said, from 1, padded with 0 (recordings, 5): to train on, and
    held out, which are said anew."""
    spoken, rng, parts = digits(), np.random.default_rng(0), []
    for count in (64, 32) if small else (4000, 500):
        y = rng.integers(1, 11, (count, LONGEST)).astype("int32")
        y[np.arange(LONGEST) >= rng.integers(1, LONGEST + 1, count)[:, None]] = 0
        x = np.array([spectrogram(speak(row[row > 0] - 1, spoken, rng)) for row in y], dtype="float32")
        parts.append((x, y))
    return parts


def make_model(units=64):
    spectra = Input((FRAMES, BANDS))
    heard = Bidirectional(LSTM(units, return_sequences=True))(spectra)
    model = Model(spectra, Dense(11)(heard))
    model.compile(loss=CTC(), optimizer=Adam(0.005))
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def write(logits):
    """The digits in the likeliest path of each recording: of a run of one digit one is left, and no blanks."""
    paths = logits.argmax(axis=-1)
    return [[int(i) - 1 for i, last in zip(path, [0, *path[:-1]]) if i not in (0, last)] for path in paths]


def results(model, held_out):
    """The share of recordings of held-out numbers that are written down rightly to the last digit."""
    x, y = held_out
    written = write(model.predict(x, verbose=0))
    return {"recordings right": float(np.mean([row == said(right) for row, right in zip(written, y)]))}


def said(right):
    return (right[right > 0] - 1).tolist()


def draw(figure, model, held_out):
    """Four recordings, and how likely the network finds each digit at each moment."""
    x, y = (part[:4] for part in held_out)
    logits = model.predict(x, verbose=0)
    likely = np.exp(logits - logits.max(axis=-1, keepdims=True))
    likely /= likely.sum(axis=-1, keepdims=True)
    for spectra, right, row, shares, axes in zip(x, y, write(logits), likely, figure.subplots(2, 4).T):
        axes[0].imshow(spectra.T, origin="lower", aspect="auto", cmap="magma")
        axes[0].set_title(f"said {' '.join(map(str, said(right)))}", fontsize=10)
        axes[1].imshow(shares[:, 1:].T, aspect="auto", cmap="Blues", vmin=0, vmax=1)
        axes[1].set_title(f"heard {' '.join(map(str, row))}", fontsize=10,
                          color="black" if row == said(right) else "red")
        axes[1].set(yticks=range(10), xlabel="spectrum")
        axes[0].set_xticks([])
    figure.axes[0].set_ylabel("frequency band")
    figure.axes[4].set_ylabel("digit")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "spoken_digits", args.out)


if __name__ == "__main__":
    main()
