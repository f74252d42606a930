# SPDX-License-Identifier: Apache-2.0
"""Shakespeare's letters one-hot in a Lambda, without and with kept states: after chapter 16 of Géron's "Hands-On
Machine Learning"."""

import numpy as np
from tensorflow import keras

TEXT = "first citizen: before we proceed any further, hear me speak. all: speak, speak. you are all resolved rather to"
n_steps, batch_size = 10, 4


class ResetStatesCallback(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        for layer in self.model.layers:
            if hasattr(layer, "reset_states"):
                layer.reset_states()


def main(begin):
    tokenizer = sorted(set(TEXT))
    max_id = len(tokenizer)
    encoded = np.array([tokenizer.index(c) for c in TEXT])
    windows = np.stack([encoded[i : i + n_steps + 1] for i in range(len(encoded) - n_steps)])
    X, Y = np.eye(max_id)[windows[:, :-1]], windows[:, 1:]
    model = keras.models.Sequential([
        keras.layers.GRU(16, return_sequences=True, input_shape=[None, max_id]),
        keras.layers.GRU(16, return_sequences=True),
        keras.layers.TimeDistributed(keras.layers.Dense(max_id, activation="softmax")),
    ])
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    begin(model)
    history = model.fit(X, Y, epochs=1, batch_size=16, shuffle=False, verbose=0)

    parts = np.stack(np.split(encoded[: len(encoded) // batch_size * batch_size], batch_size))
    stateful_model = keras.models.Sequential([
        keras.Input(batch_shape=[batch_size, None], dtype="int32"),
        keras.layers.Lambda(lambda ids: keras.ops.one_hot(ids, max_id), output_shape=(None, max_id)),
        keras.layers.GRU(16, return_sequences=True, stateful=True),
        keras.layers.GRU(16, return_sequences=True, stateful=True),
        keras.layers.TimeDistributed(keras.layers.Dense(max_id, activation="softmax")),
    ])
    stateful_model.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    begin(stateful_model)
    steps = [(parts[:, i : i + 7], parts[:, i + 1 : i + 8]) for i in (0, 7, 14)]
    x, y = np.concatenate([x for x, _ in steps]), np.concatenate([y for _, y in steps])
    kept = stateful_model.fit(x, y, epochs=2, batch_size=batch_size, shuffle=False, verbose=0,
                              callbacks=[ResetStatesCallback()])
    stateless_model = keras.models.Sequential([
        keras.Input(shape=[None], dtype="int32"),
        keras.layers.Lambda(lambda ids: keras.ops.one_hot(ids, max_id), output_shape=(None, max_id)),
        keras.layers.GRU(16, return_sequences=True),
        keras.layers.GRU(16, return_sequences=True),
        keras.layers.TimeDistributed(keras.layers.Dense(max_id, activation="softmax")),
    ])
    stateless_model.set_weights(stateful_model.get_weights())
    text = "speak"
    for _ in range(5):
        ids = np.array([[tokenizer.index(c) for c in text[-5:]]])
        text += tokenizer[stateless_model.predict(ids, verbose=0)[0, -1].argmax()]
    return {"loss": history.history["loss"], "kept": kept.history["loss"], "text": text,
            "predictions": model.predict(X)}
