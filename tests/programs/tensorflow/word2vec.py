# SPDX-License-Identifier: Apache-2.0
"""Words and their contexts from skipgrams, in a subclass whose call is a product of two Embeddings: after TensorFlow's
tutorial "word2vec"."""

import numpy as np
from tensorflow import keras
from tensorflow.keras.preprocessing.sequence import make_sampling_table, skipgrams

SENTENCE = "the wide road shimmered in the hot sun and the dry road ran on"
num_ns, embedding_dim = 3, 6


class Word2Vec(keras.Model):
    def __init__(self, vocab_size, embedding_dim):
        super().__init__()
        self.target_embedding = keras.layers.Embedding(vocab_size, embedding_dim, name="w2v_embedding")
        self.context_embedding = keras.layers.Embedding(vocab_size, embedding_dim)

    def call(self, pair):
        target, context = pair
        if len(target.shape) == 2:
            target = keras.ops.squeeze(target, axis=1)
        word_emb = self.target_embedding(target)
        context_emb = self.context_embedding(context)
        return keras.ops.einsum("be,bce->bc", word_emb, context_emb)


def main(begin):
    tokens = SENTENCE.split()
    vocab = {word: index for index, word in enumerate(["<pad>", *sorted(set(tokens))])}
    example_sequence = [vocab[word] for word in tokens]
    table = make_sampling_table(size=10)
    positive, _ = skipgrams(example_sequence, vocabulary_size=len(vocab), window_size=2,
                                                         negative_samples=0, shuffle=False)
    rng = np.random.default_rng(45)
    targets = np.array([[target] for target, _ in positive])
    contexts = np.array([[context, *rng.integers(1, len(vocab), num_ns)] for _, context in positive])
    labels = np.array([[1] + [0] * num_ns] * len(positive))
    word2vec = Word2Vec(len(vocab), embedding_dim)
    word2vec((targets[:2], contexts[:2]))
    word2vec.compile(optimizer="adam", loss=keras.losses.CategoricalCrossentropy(from_logits=True),
                     metrics=["accuracy"])
    begin(word2vec)
    history = word2vec.fit((targets, contexts), labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    weights = word2vec.get_layer("w2v_embedding").get_weights()[0]
    return {"table": table, "pairs": targets, "history": history.history, "weights": weights,
            "predictions": word2vec.predict((targets, contexts))}
