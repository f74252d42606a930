# SPDX-License-Identifier: Apache-2.0
"""A common-sense baseline, convolutions, LSTMs and GRUs on windows: after chapter 10 of the second edition of
Chollet's "Deep Learning with Python"."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

sampling_rate, sequence_length, batch_size = 2, 12, 16


def main(begin):
    t = np.arange(200)[:, None]
    raw_data = np.sin(t / np.array([[6.0, 10.0, 19.0]])) + 0.02 * t
    temperature = raw_data[:, 1].copy()
    num_train_samples = 100
    raw_data = (raw_data - raw_data[:num_train_samples].mean(axis=0)) / raw_data[:num_train_samples].std(axis=0)
    delay = sampling_rate * (sequence_length + 3 - 1)
    train_dataset = keras.utils.timeseries_dataset_from_array(
        raw_data[:-delay], targets=temperature[delay:], sampling_rate=sampling_rate, sequence_length=sequence_length,
        shuffle=False, batch_size=batch_size, start_index=0, end_index=num_train_samples)
    val_dataset = keras.utils.timeseries_dataset_from_array(
        raw_data[:-delay], targets=temperature[delay:], sampling_rate=sampling_rate, sequence_length=sequence_length,
        shuffle=False, batch_size=batch_size, start_index=num_train_samples)
    naive = [np.mean(np.abs(np.asarray(samples)[:, -1, 1] - np.asarray(targets))) for samples, targets in val_dataset]

    def flat(inputs):
        x = layers.Flatten()(inputs)
        return layers.Dense(8, activation="relu")(x)

    def convolved(inputs):
        x = layers.Conv1D(6, 5, activation="relu")(inputs)
        x = layers.MaxPooling1D(2)(x)
        x = layers.Conv1D(6, 3, activation="relu")(x)
        return layers.GlobalAveragePooling1D()(x)

    def regularized(inputs):
        x = layers.LSTM(8, recurrent_dropout=0.0, unroll=True)(inputs)
        return layers.Dropout(0.0)(x)

    def stacked(inputs):
        x = layers.GRU(8, recurrent_dropout=0.0, return_sequences=True)(inputs)
        return layers.GRU(8, recurrent_dropout=0.0)(x)

    found = {"naive": naive}
    for build in flat, convolved, regularized, stacked, lambda inputs: layers.Bidirectional(layers.LSTM(6))(inputs):
        inputs = keras.Input(shape=(sequence_length, raw_data.shape[-1]))
        outputs = layers.Dense(1)(build(inputs))
        model = keras.Model(inputs, outputs)
        callbacks = [keras.callbacks.ModelCheckpoint("jena.keras", save_best_only=True)]
        model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
        begin(model)
        history = model.fit(train_dataset, epochs=2, validation_data=val_dataset, callbacks=callbacks, verbose=0)
        model = keras.models.load_model("jena.keras")
        found[build.__name__] = [history.history, model.evaluate(val_dataset, verbose=0)[1], model.predict(val_dataset)]
    return found
