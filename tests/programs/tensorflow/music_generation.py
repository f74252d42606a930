# SPDX-License-Identifier: Apache-2.0
"""Notes: pitch, step and duration from one LSTM, each with a loss: after TensorFlow's tutorial "Generate music with an
RNN"."""

import numpy as np
from tensorflow import keras

seq_length, vocab_size = 8, 20
key_order = ["pitch", "step", "duration"]


def mse_with_positive_pressure(y_true, y_pred):
    mse = (y_true - y_pred) ** 2
    positive_pressure = 10 * keras.ops.maximum(-y_pred, 0.0)
    return keras.ops.mean(mse + positive_pressure)


def main(begin):
    rng = np.random.default_rng(5)
    notes = np.stack([rng.integers(0, vocab_size, 60), rng.exponential(0.3, 60), rng.exponential(0.5, 60)], axis=1)
    x = np.stack([notes[i : i + seq_length] for i in range(60 - seq_length)]) / [vocab_size, 1.0, 1.0]
    labels = {key: notes[seq_length:, i] for i, key in enumerate(key_order)}

    inputs = keras.Input((seq_length, 3))
    x_ = keras.layers.LSTM(16)(inputs)
    outputs = {
        "pitch": keras.layers.Dense(vocab_size, name="pitch")(x_),
        "step": keras.layers.Dense(1, name="step")(x_),
        "duration": keras.layers.Dense(1, name="duration")(x_),
    }
    model = keras.Model(inputs, outputs)
    loss = {
        "pitch": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "step": mse_with_positive_pressure,
        "duration": mse_with_positive_pressure,
    }
    optimizer = keras.optimizers.Adam(learning_rate=0.005)
    model.compile(loss=loss, loss_weights={"pitch": 0.05, "step": 1.0, "duration": 1.0}, optimizer=optimizer)
    begin(model)
    before = model.evaluate(x, labels, return_dict=True, verbose=0)
    callbacks = [
        keras.callbacks.ModelCheckpoint(filepath="ckpt_{epoch}.weights.h5", save_weights_only=True),
        keras.callbacks.EarlyStopping(monitor="loss", patience=5, verbose=0, restore_best_weights=True),
    ]
    history = model.fit(x, labels, batch_size=16, epochs=3, callbacks=callbacks, shuffle=False, verbose=0)

    input_notes, generated = x[0], []
    for _ in range(5):
        predictions = model.predict(input_notes[None], verbose=0)
        pitch = int(np.argmax(predictions["pitch"][0]))
        step, duration = max(0, predictions["step"][0, 0]), max(0, predictions["duration"][0, 0])
        generated.append([pitch, step, duration])
        input_notes = np.append(input_notes[1:], [[pitch / vocab_size, step, duration]], axis=0)
    return {"before": before, "history": history.history, "generated": generated, "predictions": model.predict(x)}
