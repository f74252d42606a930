# SPDX-License-Identifier: Apache-2.0
"""Sequence to sequence: a network reads a number in English words and writes it in German words, letter by letter.

    three hundred forty-two    dreihundertzweiundvierzig

German says the ones before the tens ("two and forty"), writes all as one word and has forms of its own (sechzehn, not
sechszehn), so no letter can be translated by itself. An encoder reads the whole English text; its last states are all
that the decoder is given. In training the decoder reads the right German text, one letter behind what it is to write
(teacher forcing). To translate, it reads what it has written itself: encoder and decoder become two models over the
layers that were trained, and the states pass through the caller's hands from letter to letter.

A fifth of the numbers is held out: the network has read none of them when it translates them.

    python examples/seq2seq.py --number 342
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fastrnn import Input
from fastrnn.layers import LSTM, Dense
from fastrnn.models import Model
from fastrnn.optimizers import Adam
from fastrnn.optimizers.schedules import ExponentialDecay
from fastrnn.utils import set_random_seed

LARGEST = 999
UNITS = 128
EPOCHS = 60
HELD_OUT = 0.2

START, END = "\t", "\n"
ENGLISH_LETTERS = " -abcdefghijklmnopqrstuvwxyz"  # the space is the padding, too
GERMAN_LETTERS = START + END + " abcdefghijklmnopqrstuvwxyzßöü"

ENGLISH = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
ENGLISH_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
GERMAN = [
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
]
GERMAN_TENS = ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]


def english(number):
    """A number from 0 to 999 in English words."""
    if number >= 100:
        rest = f" {english(number % 100)}" if number % 100 else ""
        return f"{ENGLISH[number // 100]} hundred{rest}"
    if number < len(ENGLISH):
        return ENGLISH[number]
    tens = ENGLISH_TENS[number // 10 - 2]
    return f"{tens}-{ENGLISH[number % 10]}" if number % 10 else tens


def german(number):
    """A number from 0 to 999 in German words."""
    if number >= 100:
        return f"{_in_front(number // 100)}hundert{german(number % 100) if number % 100 else ''}"
    if number < len(GERMAN):
        return GERMAN[number]
    tens = GERMAN_TENS[number // 10 - 2]
    return f"{_in_front(number % 10)}und{tens}" if number % 10 else tens


def _in_front(digit):
    """One of the digits 1 to 9 before another word: eins loses its s."""
    return "ein" if digit == 1 else GERMAN[digit]


SOURCE_LENGTH = max(len(english(number)) for number in range(LARGEST + 1))
TARGET_LENGTH = max(len(german(number)) for number in range(LARGEST + 1)) + 1  # with the END


def one_hot(texts, letters):
    """Texts of one length as an array (texts, length, letters)."""
    return np.eye(len(letters), dtype="float32")[[[letters.index(letter) for letter in text] for text in texts]]


def encode_english(texts):
    """What the encoder reads, as one-hot letters; the padding comes first, so that the states are fresh at the end."""
    return one_hot([text.rjust(SOURCE_LENGTH) for text in texts], ENGLISH_LETTERS)


def encode_german(texts):
    """What the decoder reads or must write, as one-hot letters."""
    return one_hot([text.ljust(TARGET_LENGTH) for text in texts], GERMAN_LETTERS)


def make_data(numbers):
    """What the encoder reads, what the decoder reads and what it must write: arrays (numbers, letters, one-hot)."""
    x = encode_english([english(number) for number in numbers])
    behind = encode_german([START + german(number) for number in numbers])
    return [x, behind], encode_german([german(number) + END for number in numbers])


def make_models(units=UNITS):
    """The model to train, and over the same layers an encoder and a decoder to translate with."""
    encoder_inputs = Input((None, len(ENGLISH_LETTERS)))
    _, *encoder_states = LSTM(units, return_state=True)(encoder_inputs)

    decoder_inputs = Input((None, len(GERMAN_LETTERS)))
    decoder_lstm = LSTM(units, return_sequences=True, return_state=True)
    decoder_dense = Dense(len(GERMAN_LETTERS), activation="softmax")
    sequences, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    model = Model([encoder_inputs, decoder_inputs], decoder_dense(sequences))
    optimizer = Adam(ExponentialDecay(0.005, decay_steps=1000, decay_rate=0.5))
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, metrics=["accuracy"])

    encoder_model = Model(encoder_inputs, encoder_states)
    decoder_states_inputs = [Input((units,)), Input((units,))]
    sequences, *decoder_states = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
    decoder_outputs = decoder_dense(sequences)
    decoder_model = Model([decoder_inputs, *decoder_states_inputs], [decoder_outputs, *decoder_states])
    return model, encoder_model, decoder_model


def train(model, numbers, held_out, epochs, shuffle=True, verbose=1):
    """Train with teacher forcing on the numbers, the held-out ones being for validation."""
    x, y = make_data(numbers)
    validation = make_data(held_out)
    return model.fit(x, y, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=validation, verbose=verbose)


def translate(encoder_model, decoder_model, texts):
    """What the models write for English texts: at each step the likeliest letter, which is read in the next."""
    states = encoder_model.predict(encode_english(texts), verbose=0)
    written = [START] * len(texts)
    for _ in range(TARGET_LENGTH):
        last = one_hot([text[-1] for text in written], GERMAN_LETTERS)
        probabilities, *states = decoder_model.predict([last, *states], verbose=0)
        letters = [GERMAN_LETTERS[i] for i in probabilities[:, 0].argmax(axis=-1)]
        written = [text + letter for text, letter in zip(written, letters, strict=True)]
    return [text[len(START):].partition(END)[0] for text in written]


def split(seed):
    """The numbers to train on and those that are held out, at random."""
    numbers = np.random.default_rng(seed).permutation(LARGEST + 1).tolist()
    count = round(len(numbers) * HELD_OUT)
    return numbers[count:], numbers[:count]


def run(epochs=EPOCHS, seed=0, units=UNITS, verbose=1):
    """Train the model and translate the numbers that were held out.

    Returns:
        The encoder and the decoder, the history, and the share of held-out numbers that are right to the last letter.
    """
    set_random_seed(seed)
    numbers, held_out = split(seed)
    model, encoder_model, decoder_model = make_models(units)
    history = train(model, numbers, held_out, epochs, verbose=verbose)
    written = translate(encoder_model, decoder_model, [english(number) for number in held_out])
    accuracy = np.mean([text == german(number) for text, number in zip(written, held_out, strict=True)])
    return encoder_model, decoder_model, history, float(accuracy)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train an encoder and a decoder to translate number words.")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help=f"the number to translate, 0 to {LARGEST}; else held-out ones")
    parser.add_argument("--out", type=Path, default=Path("plots"), help="folder for the plot")
    parser.add_argument("--quiet", action="store_true", help="do not show the epochs")
    args = parser.parse_args(arguments)
    if args.number is not None and not 0 <= args.number <= LARGEST:
        parser.error(f"--number must be from 0 to {LARGEST}, got {args.number}")

    numbers, held_out = split(args.seed)
    print(f"{len(numbers)} numbers to train on, {len(held_out)} held out")
    encoder_model, decoder_model, history, accuracy = run(args.epochs, args.seed, verbose=0 if args.quiet else 1)
    end = ", ".join(f"{key} {values[-1]:.4f}" for key, values in history.history.items())
    print(f"  epoch {args.epochs}: {end}")
    print(f"  held-out numbers that are right to the last letter: {accuracy:.1%}")
    shown = held_out[:5] if args.number is None else [args.number]
    texts = [english(number) for number in shown]
    for number, text, written in zip(shown, texts, translate(encoder_model, decoder_model, texts), strict=True):
        target = german(number)
        print(f"  {text} -> {written}{'' if written == target else f' (right: {target})'}")
    try:
        figure = history.plot()
    except ImportError as error:
        print(f"  no plot: {error}")
        return
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "seq2seq.png")
    print(f"  plot: {args.out / 'seq2seq.png'}")


if __name__ == "__main__":
    main()
