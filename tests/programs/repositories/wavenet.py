# SPDX-License-Identifier: Apache-2.0
"""Gated, dilated, causal convolutions with residual and skip connections: after basveeling/wavenet and the WaveNet of
Géron's exercises."""

import keras
import numpy as np
from keras.layers import Activation, Add, Conv1D, Embedding, Input, Multiply

nb_output_bins, nb_filters, dilation_depth, nb_stacks, fragment_length = 16, 6, 3, 1, 24


def residual_block(x, dilation):
    original_x = x
    tanh_out = Conv1D(nb_filters, 2, dilation_rate=dilation, padding="causal", use_bias=True, activation="tanh",
                      name=f"dilated_conv_{dilation}_tanh")(x)
    sigm_out = Conv1D(nb_filters, 2, dilation_rate=dilation, padding="causal", use_bias=True, activation="sigmoid",
                      name=f"dilated_conv_{dilation}_sigm")(x)
    x = Multiply(name=f"gated_activation_{dilation}")([tanh_out, sigm_out])
    res_x = Conv1D(nb_filters, 1, padding="same", use_bias=True)(x)
    skip_x = Conv1D(nb_filters, 1, padding="same", use_bias=True)(x)
    return Add()([original_x, res_x]), skip_x


def main(begin):
    t = np.arange(200)
    audio = np.sin(t / 3) * 0.6 + np.sin(t / 7) * 0.3
    mu = nb_output_bins - 1
    bins = ((np.sign(audio) * np.log1p(mu * np.abs(audio)) / np.log1p(mu) + 1) / 2 * mu + 0.5).astype(int)
    fragments = np.stack([bins[i : i + fragment_length + 1] for i in range(0, 170, 6)])
    input = Input(shape=(fragment_length,), name="input_part", dtype="int32")
    out = Embedding(nb_output_bins, nb_filters)(input)
    out = Conv1D(nb_filters, 2, dilation_rate=1, padding="causal", name="initial_causal_conv")(out)
    skip_connections = []
    for _ in range(nb_stacks):
        for i in range(dilation_depth + 1):
            out, skip_out = residual_block(out, 2**i)
            skip_connections.append(skip_out)
    out = Add()(skip_connections)
    out = Activation("relu")(out)
    out = Conv1D(nb_output_bins, 1, padding="same")(out)
    out = Activation("relu")(out)
    out = Conv1D(nb_output_bins, 1, padding="same")(out)
    out = Activation("softmax", name="output_softmax")(out)
    model = keras.Model(input, out)
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit(fragments[:, :-1], fragments[:, 1:], batch_size=8, epochs=2, shuffle=False, verbose=0,
                        callbacks=[keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5)])
    return {"history": history.history, "predictions": model.predict(fragments[:, :-1])}
