# SPDX-License-Identifier: Apache-2.0
"""Spectrograms to letters: Conv2D, batch normalization, GRUs both ways and CTC as a plain function of a loss: after
keras-io's examples/audio/ctc_asr.py."""

import keras
import numpy as np
from keras import layers, ops

characters = list("abcde' ")
fft_bins, frames, max_label = 12, 20, 4


def CTCLoss(y_true, y_pred):
    batch_len = ops.cast(ops.shape(y_true)[0], dtype="int32")
    input_length = ops.cast(ops.shape(y_pred)[1], dtype="int32")
    label_length = ops.cast(ops.shape(y_true)[1], dtype="int32")
    input_length = input_length * ops.ones(shape=(batch_len,), dtype="int32")
    label_length = label_length * ops.ones(shape=(batch_len,), dtype="int32")
    y_pred = ops.log(y_pred + keras.backend.epsilon())
    return ops.ctc_loss(ops.cast(y_true, "int32"), y_pred, label_length, input_length, mask_index=0)


def build_model(input_dim, output_dim, rnn_layers=2, rnn_units=6):
    input_spectrogram = layers.Input((None, input_dim), name="input")
    x = layers.Reshape((-1, input_dim, 1), name="expand_dim")(input_spectrogram)
    x = layers.Conv2D(filters=4, kernel_size=[5, 7], strides=[2, 2], padding="same", use_bias=False, name="conv_1")(x)
    x = layers.BatchNormalization(name="conv_1_bn")(x)
    x = layers.ReLU(name="conv_1_relu")(x)
    x = layers.Conv2D(filters=4, kernel_size=[3, 5], strides=[1, 2], padding="same", use_bias=False, name="conv_2")(x)
    x = layers.BatchNormalization(name="conv_2_bn")(x)
    x = layers.ReLU(name="conv_2_relu")(x)
    x = layers.Reshape((-1, x.shape[-2] * x.shape[-1]))(x)
    for i in range(1, rnn_layers + 1):
        recurrent = layers.GRU(units=rnn_units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                               return_sequences=True, reset_after=True, name=f"gru_{i}")
        x = layers.Bidirectional(recurrent, name=f"bidirectional_{i}", merge_mode="concat")(x)
        if i < rnn_layers:
            x = layers.Dropout(rate=0.0)(x)
    x = layers.Dense(units=rnn_units * 2, name="dense_1")(x)
    x = layers.ReLU(name="dense_1_relu")(x)
    output = layers.Dense(units=output_dim + 1, activation="softmax")(x)
    model = keras.Model(input_spectrogram, output, name="DeepSpeech_2")
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=1e-3), loss=CTCLoss)
    return model


def main(begin):
    rng = np.random.default_rng(16)
    char_to_num = layers.StringLookup(vocabulary=characters, oov_token="")
    num_to_char = layers.StringLookup(vocabulary=char_to_num.get_vocabulary(), oov_token="", invert=True)
    words = ["bad ", "cab'", "dead", "ace "] * 4
    labels = np.array([np.asarray(char_to_num(list(word))) for word in words])
    spectrograms = rng.normal(size=(len(words), frames, fft_bins)).astype("float32")
    model = build_model(fft_bins, char_to_num.vocabulary_size())
    begin(model)
    history = model.fit(spectrograms, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    pred = model.predict(spectrograms)
    input_len = np.full(len(pred), pred.shape[1], "int32")
    decoded, scores = ops.ctc_decode(np.log(pred + 1e-7), input_len, strategy="greedy", mask_index=0)
    spelled = [str(char) for char in np.asarray(num_to_char(labels[0])).astype("U")]
    return {"loss": history.history["loss"], "labels": labels, "spelled": spelled, "decoded": decoded, "scores": scores,
            "predictions": pred}
