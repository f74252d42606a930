# SPDX-License-Identifier: Apache-2.0
"""A character model as a subclass that takes and gives its states: after TensorFlow's tutorial "Text generation with
an RNN"."""

import numpy as np
from tensorflow import keras

TEXT = "First Citizen: Before we proceed any further, hear me speak. All: Speak, speak. First Citizen: You are all "
seq_length, embedding_dim, rnn_units = 10, 8, 16


class MyModel(keras.Model):
    def __init__(self, vocab_size, embedding_dim, rnn_units):
        super().__init__()
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = keras.layers.GRU(rnn_units, return_sequences=True, return_state=True)
        self.dense = keras.layers.Dense(vocab_size)

    def call(self, inputs, states=None, return_state=False, training=False):
        x = inputs
        x = self.embedding(x, training=training)
        if states is None:
            x, states = self.gru(x, training=training)
        else:
            x, states = self.gru(x, initial_state=states, training=training)
        x = self.dense(x, training=training)
        if return_state:
            return x, states
        return x


def main(begin):
    vocab = sorted(set(TEXT))
    ids_from_chars = keras.layers.StringLookup(vocabulary=list(vocab), mask_token=None)
    chars_from_ids = keras.layers.StringLookup(vocabulary=ids_from_chars.get_vocabulary(), invert=True, mask_token=None)
    all_ids = np.asarray(ids_from_chars(list(TEXT)))
    count = (len(all_ids) - 1) // seq_length
    inputs = all_ids[: count * seq_length].reshape(count, seq_length)
    targets = all_ids[1 : count * seq_length + 1].reshape(count, seq_length)

    model = MyModel(vocab_size=len(ids_from_chars.get_vocabulary()), embedding_dim=embedding_dim, rnn_units=rnn_units)
    assert tuple(model(inputs[:1]).shape) == (1, seq_length, len(vocab) + 1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss)
    begin(model)
    history = model.fit(inputs, targets, batch_size=5, epochs=3, shuffle=False, verbose=0)

    states, ids, written = None, np.asarray(ids_from_chars([list("First")])), []
    for _ in range(6):
        predicted_logits, states = model(ids, states=states, return_state=True)
        ids = keras.ops.convert_to_numpy(predicted_logits)[:, -1:].argmax(-1)
        written.append(np.asarray(chars_from_ids(ids[0]))[0])
    written = [char.decode() if isinstance(char, bytes) else str(char) for char in written]
    return {"loss": history.history["loss"], "ids": all_ids, "written": written, "predictions": model.predict(inputs)}
