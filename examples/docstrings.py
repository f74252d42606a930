# SPDX-License-Identifier: Apache-2.0
"""A language model: an LSTM reads the standard library's docstrings letter by letter and writes more of the kind.

At each letter the network says how likely each letter is to come next. The measure is how many bits a letter costs:
6.6 if all 96 were equally likely, 4.8 by how often each occurs. To write, a letter is drawn by its probability, raised
to 1 / temperature, and read in its turn. The docstrings are those of the modules of the Python that runs this, without
packages and tables; every twentieth is held out.

    python examples/docstrings.py
"""

from __future__ import annotations

import ast
import string
import sysconfig
from pathlib import Path

import numpy as np
from command_line import parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Dense, Embedding
from fastrnn.models import Model
from fastrnn.optimizers import Adam
from fastrnn.utils import set_random_seed

EPOCHS = 16
LENGTH = 100
LETTERS = "\n" + string.printable[:95]  # those of ASCII that are seen, and the space
START = "Return a "


def docstrings(small=False):
    """The docstrings, of ASCII letters, of the standard library's modules, in alphabetical order of the modules."""
    paths = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    trees = [ast.parse(path.read_bytes()) for path in (paths[:10] if small else paths)]
    nodes = [node for tree in trees for node in ast.walk(tree)
             if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    texts = [text for text in map(ast.get_docstring, nodes)
             if text and set(text) <= set(LETTERS) and " " * 8 not in text]
    return list(dict.fromkeys(texts))


def encode(text):
    return np.array([LETTERS.index(letter) for letter in text], dtype="int32")


def load(small=False):
    """What is read and what comes next, arrays of letters' indices (pieces, 100): to train on, and held out."""
    texts = docstrings(small)
    held_out = set(texts[::20])
    parts = [text for text in texts if text not in held_out], [text for text in texts if text in held_out]
    return [cut(encode("\n\n".join(part))) for part in parts]


def cut(indices):
    count = (len(indices) - 1) // LENGTH
    return tuple(part[: count * LENGTH].reshape(count, LENGTH) for part in (indices, indices[1:]))


def make_model(units=256):
    letters = Input((None,), dtype="int32")
    embedded = Embedding(len(LETTERS), 32, name="embedding")(letters)
    sequences, _, _ = LSTM(units, return_sequences=True, return_state=True, name="lstm")(embedded)
    model = Model(letters, Dense(len(LETTERS), activation="softmax", name="dense")(sequences))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=Adam(0.004), metrics=["accuracy"])
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out,
                     verbose=verbose)


def costs(model, x, y):
    """How many bits each letter that comes next costs (pieces, 100)."""
    likely = model.predict(x, batch_size=32, verbose=0)
    return -np.log2(np.take_along_axis(likely, y[:, :, None], axis=-1)[:, :, 0])


def results(model, held_out):
    """How many bits a letter costs on average, read by the model, and told by how often each letter occurs."""
    share = np.bincount(held_out[1].ravel(), minlength=len(LETTERS)) / held_out[1].size
    return {"bits a letter": float(costs(model, *held_out).mean()),
            "bits a letter by how often it occurs": float(-np.sum(share * np.log2(np.maximum(share, 1e-9))))}


def write(model, start=START, count=300, temperature=0.5, seed=0):
    """A text that begins with `start`: `count` letters are drawn, the LSTM's states passing from one to the next."""
    lstm = model.get_layer("lstm")
    letters, states = Input((None,), dtype="int32"), [Input((lstm.units,)), Input((lstm.units,))]
    sequences, *after = lstm(model.get_layer("embedding")(letters), initial_state=states)
    step = Model([letters, *states], [model.get_layer("dense")(sequences), *after])
    rng = np.random.default_rng(seed)
    x, state, text = encode(start)[None], [np.zeros((1, lstm.units), dtype="float32")] * 2, start
    for _ in range(count):
        likely, *state = step.predict([x, *state], verbose=0)
        weights = (likely[0, -1] / likely[0, -1].max()).astype("float64") ** (1 / temperature)
        x = rng.choice(len(LETTERS), (1, 1), p=weights / weights.sum()).astype("int32")
        text += LETTERS[x[0, 0]]
    return text


def draw(figure, model, held_out):
    """What each letter of a held-out text costs, in three lines."""
    x, y = (part[:3] for part in held_out)
    for bits, letters, axes in zip(costs(model, x, y), y, figure.subplots(3, 1, sharey=True)):
        axes.bar(range(LENGTH), bits)
        axes.set_xticks(range(LENGTH), [LETTERS[i].replace("\n", "¶") for i in letters], fontsize=8)
        axes.set_ylabel("bits")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    print("  written:", write(model, count=20 if args.small else 300, seed=args.seed).replace("\n", "\n    "))
    save_picture(lambda figure: draw(figure, model, held_out), "docstrings", args.out)


if __name__ == "__main__":
    main()
