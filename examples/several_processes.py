# SPDX-License-Identifier: Apache-2.0
"""Film reviews learnt by several processes: `mpirun -n 4 python examples/several_processes.py`.

The program is that of one process and one line more, and without `mpirun` it is one process. The weights that it comes
to are the same, bit for bit, on 1, 2, 4 or 8 processes.
"""

from __future__ import annotations

import argparse
import hashlib

import film_review_data
import film_reviews

from fastrnn.callbacks import BackupAndRestore
from fastrnn.distribution import DataParallel, distribution, set_distribution
from fastrnn.preprocessing.text import Tokenizer
from fastrnn.utils import set_random_seed


def run(texts, labels, epochs=3, backup=None, verbose=2):
    """Train the model of film_reviews.py; the last fifth of the reviews is for validation.

    Returns:
        The model and its history.
    """
    set_random_seed(0)
    tokenizer = Tokenizer(num_words=film_reviews.NUM_WORDS, lower=True)
    tokenizer.fit_on_texts(texts)
    model = film_reviews.make_model()
    history = model.fit(film_reviews.encode(tokenizer, texts), labels, batch_size=128, epochs=epochs, verbose=verbose,
                        validation_split=film_reviews.VALIDATION_SPLIT,
                        callbacks=[BackupAndRestore(backup)] if backup else None)
    return model, history


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train an LSTM to tell favourable film reviews, on several processes.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--reviews", type=int, help="use this many of them only")
    parser.add_argument("--backup", help="folder of a backup, from which the program goes on when it is started again")
    args = parser.parse_args(arguments)

    set_distribution(DataParallel(shards=8))
    texts, labels = film_reviews.shuffle(*film_review_data.load_reviews(), seed=0)
    model, _ = run(texts[: args.reviews], labels[: args.reviews], args.epochs, args.backup)
    if distribution().rank == 0:
        found = hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()
        print(f"{distribution().size} processes, weights {found[:16]}")


if __name__ == "__main__":
    main()
