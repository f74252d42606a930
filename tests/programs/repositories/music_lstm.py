# SPDX-License-Identifier: Apache-2.0
"""Notes and chords as words, stacked LSTMs with batch normalization, weights in .hdf5: after
Skuldur/Classical-Piano-Composer's lstm.py and predict.py."""

import numpy as np
from keras.callbacks import ModelCheckpoint
from keras.layers import LSTM, Activation, Dense, Dropout
from keras.layers.normalization import BatchNormalization
from keras.models import Sequential
from keras.utils import np_utils

NOTES = ["C4", "E4", "G4", "0.4.7", "C5", "G4", "E4", "C4", "F4", "A4", "C5", "5.9.0", "F5", "C5", "A4", "F4", "G4",
         "B4", "D5", "7.11.2", "C4", "E4", "G4", "0.4.7"] * 2
sequence_length = 8


def create_network(network_input, n_vocab):
    model = Sequential()
    model.add(LSTM(12, input_shape=(network_input.shape[1], network_input.shape[2]), recurrent_dropout=0.0,
                   return_sequences=True))
    model.add(LSTM(12, return_sequences=True, recurrent_dropout=0.0))
    model.add(LSTM(12))
    model.add(BatchNormalization())
    model.add(Dropout(0.0))
    model.add(Dense(8))
    model.add(Activation("relu"))
    model.add(BatchNormalization())
    model.add(Dropout(0.0))
    model.add(Dense(n_vocab))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop")
    return model


def main(begin):
    pitchnames = sorted(set(NOTES))
    note_to_int = {note: number for number, note in enumerate(pitchnames)}
    n_vocab = len(pitchnames)
    windows = [NOTES[i : i + sequence_length + 1] for i in range(len(NOTES) - sequence_length)]
    network_input = np.array([[note_to_int[note] for note in window[:-1]] for window in windows])
    network_output = np_utils.to_categorical([note_to_int[window[-1]] for window in windows])
    normalized_input = network_input.reshape(-1, sequence_length, 1) / float(n_vocab)
    model = create_network(normalized_input, n_vocab)
    begin(model)
    checkpoint = ModelCheckpoint("weights-improvement-{epoch:02d}.keras", monitor="loss", verbose=0,
                                 save_best_only=True,
                                 mode="min")
    history = model.fit(normalized_input, network_output, epochs=2, batch_size=16, callbacks=[checkpoint],
                        shuffle=False,
                        verbose=0)
    pattern, prediction_output = list(network_input[3]), []
    for _ in range(6):
        prediction = model.predict(np.reshape(pattern, (1, len(pattern), 1)) / float(n_vocab), verbose=0)
        index = np.argmax(prediction)
        prediction_output.append(pitchnames[index])
        pattern = [*pattern[1:], index]
    return {"loss": history.history["loss"], "notes": prediction_output, "predictions": model.predict(normalized_input)}
