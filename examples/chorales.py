# SPDX-License-Identifier: Apache-2.0
"""Music: an LSTM learns how Bach set melodies for four voices, and then sets one of which it knows nothing.

A chorale is read eighth by eighth, and in each eighth soprano, alto, tenor and bass: the key that is struck, or that
the last one sounds on. Each time the network says how likely each is to come next, and the measure is how many bits
that costs. To set a melody, the soprano is given and the other voices are drawn. The 364 chorales are those for four
voices that music21 ships, moved to C major or A minor; every tenth is held out. The first of these is written to
chorale.mid, as the network sets it.

    python examples/chorales.py
"""

from __future__ import annotations

import numpy as np
from chorale_scores import KINDS, VOICES, chorales, sounding, write_midi
from command_line import parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Dense, Embedding
from fastrnn.models import Model
from fastrnn.optimizers import Adam
from fastrnn.utils import set_random_seed

EPOCHS = 15
LENGTH = 128  # of a piece to train on, 32 eighths of 4 voices


def load(small=False):
    """What is read and what comes next, (pieces, 128) each: to train on, and held out with the first chorale."""
    whole = chorales(small)
    held_out = whole[::10]
    training = [chorale for i, chorale in enumerate(whole) if i % 10]
    return cut(training, LENGTH // 2), (*cut(held_out, LENGTH), held_out[0])


def cut(chorales, stride):
    pieces = np.concatenate([
        np.lib.stride_tricks.sliding_window_view(chorale.ravel(), LENGTH + 1)[::stride] for chorale in chorales])
    return pieces[:, :-1].astype("int32"), pieces[:, 1:].astype("int32")


def make_model(units=128):
    notes = Input((None,), dtype="int32")
    sequences, _, _ = LSTM(units, return_sequences=True, return_state=True, name="lstm")(
        Embedding(KINDS, 32, name="embedding")(notes))
    model = Model(notes, Dense(KINDS, activation="softmax", name="dense")(sequences))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=Adam(0.003))
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out[:2],
                     verbose=verbose)


def results(model, held_out):
    """How many bits a note costs on average, by the model, and by how often each occurs in its voice."""
    x, y, _ = held_out
    costs = -np.log2(np.take_along_axis(model.predict(x, verbose=0), y[:, :, None], axis=-1))
    shares = [np.bincount(y[:, i::4].ravel(), minlength=KINDS) / y[:, i::4].size for i in range(4)]
    return {"bits a note": float(costs.mean()),
            "bits a note by how often it occurs": float(-np.mean([share @ np.log2(share + 1e-9) for share in shares]))}


def set_melody(model, melody, temperature=0.7, seed=0):
    """A chorale (eighths, 4) whose soprano is given: the other voices are drawn, the LSTM's states passed on."""
    lstm, rng = model.get_layer("lstm"), np.random.default_rng(seed)
    notes, states = Input((None,), dtype="int32"), [Input((lstm.units,)), Input((lstm.units,))]
    sequences, *after = lstm(model.get_layer("embedding")(notes), initial_state=states)
    step = Model([notes, *states], [model.get_layer("dense")(sequences), *after])
    state, chorale = [np.zeros((1, lstm.units), dtype="float32")] * 2, []
    for note in melody:
        for _ in VOICES[1:]:
            chorale.append(note)
            likely, *state = step.predict([np.array([[note]], dtype="int32"), *state], verbose=0)
            weights = (likely[0, -1] / likely[0, -1].max()).astype("float64") ** (1 / temperature)
            note = rng.choice(KINDS, p=weights / weights.sum())
        chorale.append(note)
        _, *state = step.predict([np.array([[note]], dtype="int32"), *state], verbose=0)
    return np.array(chorale).reshape(-1, 4)


def draw(figure, chorale, bach):
    """A melody as Bach set it, and as the network did: keys over eighths."""
    bars = {}
    for title, one, axes in zip(("Bach", "LSTM"), (bach, chorale), figure.subplots(2, 1, sharex=True, sharey=True)):
        for name, line in zip(VOICES, one.T):
            keys, starts, lengths = sounding(line).T
            bars[name] = axes.barh(keys, lengths - 0.2, left=starts, label=name)
        axes.set(title=title, ylabel="MIDI key")
    axes.set_xlabel("eighth")
    figure.legend(handles=[bars[name] for name in VOICES], loc="outside right center")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    bach = held_out[2][: 8 if args.small else None]
    chorale = set_melody(model, bach[:, 0], seed=args.seed)
    save_picture(lambda figure: draw(figure, chorale, bach), "chorales", args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    write_midi(args.out / "chorale.mid", chorale)
    print(f"  music: {args.out / 'chorale.mid'}")


if __name__ == "__main__":
    main()
