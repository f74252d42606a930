# SPDX-License-Identifier: Apache-2.0
"""Temperature from the hours before it: after keras-io's examples/timeseries/timeseries_weather_forecasting.py."""

import keras
import numpy as np
import pandas as pd

split_fraction, step, past, future, learning_rate, batch_size = 0.715, 2, 16, 4, 0.001, 16
titles = ["Pressure", "Temperature", "Saturation vapor pressure"]


def normalize(data, train_split):
    data_mean = data[:train_split].mean(axis=0)
    data_std = data[:train_split].std(axis=0)
    return (data - data_mean) / data_std


def main(begin):
    t = np.arange(160)
    df = pd.DataFrame({"Pressure": 1000 + 5 * np.sin(t / 30), "Temperature": 8 + 4 * np.sin(t / 6) + t / 40,
                       "Saturation vapor pressure": np.exp(np.cos(t / 11))})
    train_split = int(split_fraction * int(df.shape[0]))
    features = pd.DataFrame(normalize(df[titles].values, train_split))
    train_data = features.loc[0 : train_split - 1]
    val_data = features.loc[train_split:]
    start = past + future
    x_train = train_data[list(range(3))].values
    y_train = features.iloc[start : start + train_split][[1]]
    sequence_length = int(past / step)
    dataset_train = keras.preprocessing.timeseries_dataset_from_array(
        x_train, y_train, sequence_length=sequence_length, sampling_rate=step, batch_size=batch_size)
    x_end = len(val_data) - past - future
    label_start = train_split + past + future
    dataset_val = keras.preprocessing.timeseries_dataset_from_array(
        val_data.iloc[:x_end][list(range(3))].values, features.iloc[label_start:][[1]],
        sequence_length=sequence_length, sampling_rate=step, batch_size=batch_size)
    for inputs, targets in dataset_train.take(1):
        shapes = [tuple(np.asarray(inputs).shape), tuple(np.asarray(targets).shape)]

    inputs = keras.layers.Input(shape=(shapes[0][1], shapes[0][2]))
    lstm_out = keras.layers.LSTM(16)(inputs)
    outputs = keras.layers.Dense(1)(lstm_out)
    model = keras.Model(inputs=inputs, outputs=outputs)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=learning_rate), loss="mse")
    begin(model)
    path_checkpoint = "model_checkpoint.weights.h5"
    es_callback = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=0, patience=5)
    modelckpt_callback = keras.callbacks.ModelCheckpoint(monitor="val_loss", filepath=path_checkpoint, verbose=0,
                                                         save_weights_only=True, save_best_only=True)
    history = model.fit(dataset_train, epochs=2, validation_data=dataset_val, verbose=0,
                        callbacks=[es_callback, modelckpt_callback])
    return {"shapes": shapes, "history": history.history, "predictions": model.predict(dataset_val)}
