# SPDX-License-Identifier: Apache-2.0
"""Part-of-speech tagging: an LSTM reads a sentence both ways and says what each word is.

    καὶ            θεὸς    ἦν      ὁ          λόγος
    conjunction    noun    verb    article    noun

The text is the Greek New Testament of 137,554 words with the tags of the MorphGNT project, which py-sblgnt ships. The
Gospel of John is held out. Of a word the network sees its last three letters, by which Greek words are declined, and
which word it is if it occurs twice in the other books. It is measured by the tag that each word has most often there,
and noun for all others.

    python examples/part_of_speech.py
"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from command_line import folder, parse, save_picture, show

from fastrnn import Input
from fastrnn.layers import LSTM, Bidirectional, Concatenate, Dense, Embedding
from fastrnn.models import Model
from fastrnn.preprocessing.sequence import pad_sequences
from fastrnn.utils import set_random_seed

EPOCHS = 4
LONGEST = 58  # words of a verse
HELD_OUT = "64-Jn-morphgnt.txt"
NAMES = {"N-": "noun", "V-": "verb", "RA": "article", "C-": "conjunction", "P-": "preposition", "A-": "adjective",
         "D-": "adverb", "X-": "particle", "I-": "interjection", "RP": "personal pronoun", "RD": "demonstrative",
         "RR": "relative pronoun", "RI": "interrogative"}
TAGS = [None, *NAMES]  # None is the padding
WORDS, ENDINGS = 10000, 3000  # at most so many kinds; 0 is the padding, 1 is any other


def verses(path):
    """The verses of a book, lists of words and tags. A line of the file has the verse, the tag, 4 fields, the word."""
    found = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        verse, tag, *_, word, _ = line.split(" ")
        found[verse].append((word, tag))
    return list(found.values())


def pad(rows):
    return pad_sequences(rows, LONGEST, padding="post")


def numbers(texts, known):
    """The indices of words or endings among those known, from 2."""
    index = {text: i for i, text in enumerate(known, start=2)}
    return pad([[index.get(text, 1) for text in row] for row in texts])


def load(small=False):
    """Words and endings, and tags, (verses, 58) each: to train on, and held out with what the words' own tags would be
    and the words."""
    paths = sorted((folder("pysblgnt", "py-sblgnt") / "sblgnt").glob("*.txt"))
    books = {path.name: verses(path)[: 20 if small else None] for path in paths}
    held_out = books.pop(HELD_OUT)
    training = [verse for book in books.values() for verse in book]
    counts = defaultdict(Counter)
    for word, tag in (pair for verse in training for pair in verse):
        counts[word][tag] += 1
    words = [word for word, tags in counts.items() if tags.total() > 1]
    endings = list(dict.fromkeys(word[-3:] for word in counts))
    data = []
    for part in (training, held_out):
        texts = [[word for word, _ in verse] for verse in part]
        x = [numbers(texts, words), numbers([[word[-3:] for word in text] for text in texts], endings)]
        data.append((x, pad([[TAGS.index(tag) for _, tag in verse] for verse in part])))
    guess = {word: TAGS.index(tags.most_common(1)[0][0]) for word, tags in counts.items()}
    return data[0], (*data[1], pad([[guess.get(word, TAGS.index("N-")) for word in text] for text in texts]), texts)


def make_model(units=64):
    words, endings = Input((LONGEST,), dtype="int32"), Input((LONGEST,), dtype="int32")
    seen = Concatenate()([Embedding(WORDS, 64, mask_zero=True)(words), Embedding(ENDINGS, 32, mask_zero=True)(endings)])
    read = Bidirectional(LSTM(units, return_sequences=True))(seen)
    model = Model([words, endings], Dense(len(TAGS), activation="softmax")(read))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    return model


def train(model, training, held_out, epochs, shuffle=True, verbose=1):
    return model.fit(*training, epochs=epochs, batch_size=32, shuffle=shuffle, validation_data=held_out[:2],
                     verbose=verbose)


def results(model, held_out):
    """The share of held-out words that are tagged rightly, and of those that occur less than twice elsewhere."""
    x, y, guess, _ = held_out
    right, unknown = model.predict(x, verbose=0).argmax(axis=-1) == y, x[0] == 1
    alone = guess == y
    return {"words right": float(right[y > 0].mean()), "words right by the word alone": float(alone[y > 0].mean()),
            "rare words right": float(right[unknown].mean()),
            "rare words right by the word alone": float(alone[unknown].mean())}


def draw(figure, model, held_out):
    """How many of each kind are tagged rightly, and a verse."""
    x, y, guess, texts = held_out
    found = model.predict(x, verbose=0).argmax(axis=-1)
    bars, verse = figure.subplots(2, 1, height_ratios=(4, 1))
    kinds = [i for i in range(1, len(TAGS)) if (y == i).any()]
    for offset, tags, label in ((-0.2, guess, "by the word alone"), (0.2, found, "LSTM")):
        bars.bar(np.arange(len(kinds)) + offset, [(tags == i)[y == i].mean() for i in kinds], 0.4, label=label)
    bars.set_xticks(range(len(kinds)), [f"{NAMES[TAGS[i]]}\n{(y == i).sum()}" for i in kinds], rotation=30, fontsize=8)
    bars.set(ylabel="share right", ylim=(0, 1.2), title="the words of the Gospel of John")
    bars.legend(loc="upper right", ncols=2)
    verse.axis("off")
    lines = [*zip(texts[0], found[0], y[0])]
    for i, (word, tag, right) in enumerate(lines):
        verse.text((i + 0.5) / len(lines), 0.5, f"{word}\n{NAMES.get(TAGS[tag], '')}", ha="center", fontsize=7,
                   color="black" if tag == right else "red")


def main(arguments=None):
    args = parse(__doc__, EPOCHS, arguments)
    set_random_seed(args.seed)
    training, held_out = load(args.small)
    model = make_model()
    history = train(model, training, held_out, args.epochs, verbose=args.verbose)
    show(history, results(model, held_out))
    save_picture(lambda figure: draw(figure, model, held_out), "part_of_speech", args.out)


if __name__ == "__main__":
    main()
