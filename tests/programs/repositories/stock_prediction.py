# SPDX-License-Identifier: Apache-2.0
"""Share prices from the 20 days before: after the many "stock price prediction" programs (krishnaik06,
jaungiers/LSTM-Neural-Network-for-Time-Series-Prediction)."""

import numpy as np
from keras.callbacks import EarlyStopping, ModelCheckpoint
from keras.layers import LSTM, Activation, Dense, Dropout
from keras.models import Sequential, load_model
from sklearn.metrics import mean_squared_error
from sklearn.preprocessing import MinMaxScaler

time_step = 20


def create_dataset(dataset, time_step=1):
    dataX, dataY = [], []
    for i in range(len(dataset) - time_step - 1):
        dataX.append(dataset[i : (i + time_step), 0])
        dataY.append(dataset[i + time_step, 0])
    return np.array(dataX), np.array(dataY)


def main(begin):
    rng = np.random.RandomState(35)
    prices = 100 * np.exp(np.cumsum(0.01 * rng.randn(140)))
    scaler = MinMaxScaler(feature_range=(0, 1))
    data = scaler.fit_transform(prices.reshape(-1, 1))
    X_train, y_train = create_dataset(data[:100], time_step)
    X_test, y_test = create_dataset(data[100 - time_step :], time_step)
    X_train = X_train.reshape(X_train.shape[0], X_train.shape[1], 1)
    X_test = X_test.reshape(X_test.shape[0], X_test.shape[1], 1)

    model = Sequential()
    model.add(LSTM(10, return_sequences=True, input_shape=(time_step, 1)))
    model.add(Dropout(0.0))
    model.add(LSTM(10, return_sequences=True))
    model.add(LSTM(10))
    model.add(Dense(1))
    model.add(Activation("linear"))
    model.compile(loss="mean_squared_error", optimizer="adam")
    begin(model)
    callbacks = [EarlyStopping(monitor="val_loss", patience=2),
                 ModelCheckpoint(filepath="stock.keras", monitor="val_loss", save_best_only=True)]
    history = model.fit(X_train, y_train, validation_data=(X_test, y_test), epochs=2, batch_size=16,
                        callbacks=callbacks,
                        shuffle=False, verbose=0)
    model = load_model("stock.keras")
    train_predict = scaler.inverse_transform(model.predict(X_train))
    rmse = np.sqrt(mean_squared_error(scaler.inverse_transform(y_train[:, None]), train_predict))
    temp_input, lst_output = data[-time_step:, 0].tolist(), []
    for _ in range(5):
        yhat = model.predict(np.array(temp_input[-time_step:]).reshape((1, time_step, 1)), verbose=0)
        temp_input.extend(yhat[0].tolist())
        lst_output.extend(yhat.tolist())
    return {"history": history.history, "rmse": rmse, "ahead": lst_output, "predictions": model.predict(X_test)}
