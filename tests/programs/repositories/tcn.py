# SPDX-License-Identifier: Apache-2.0
"""A temporal convolutional network, as a layer with residual blocks inside: after philipperemy/keras-tcn."""

import keras
import numpy as np
from keras.layers import Activation, Conv1D, Dense, Dropout, Input, Lambda, Layer, LayerNormalization, add

n_steps = 20


class ResidualBlock(Layer):
    def __init__(self, dilation_rate, nb_filters, kernel_size, padding, activation="relu", dropout_rate=0.0, **kwargs):
        self.dilation_rate, self.nb_filters, self.kernel_size = dilation_rate, nb_filters, kernel_size
        self.padding, self.activation_name, self.dropout_rate = padding, activation, dropout_rate
        super().__init__(**kwargs)
        self.convolutions = [Conv1D(nb_filters, kernel_size, dilation_rate=dilation_rate, padding=padding,
                                    name=f"conv1D_{k}")
                             for k in range(2)]
        self.norms = [LayerNormalization() for _ in range(2)]
        self.activation = Activation(activation)
        self.dropout = Dropout(dropout_rate)
        self.shape_match_conv = None

    def build(self, input_shape):
        if input_shape[-1] != self.nb_filters:
            self.shape_match_conv = Conv1D(self.nb_filters, 1, padding="same", name="matching_conv1D")
            self.shape_match_conv.build(input_shape)
        inner = (*input_shape[:-1], self.nb_filters)
        for convolution, norm, shape in zip(self.convolutions, self.norms, [input_shape, inner]):
            convolution.build(shape)
            norm.build(inner)
        super().build(input_shape)

    def call(self, inputs, training=None):
        x = inputs
        for convolution, norm in zip(self.convolutions, self.norms):
            x = self.dropout(self.activation(norm(convolution(x))), training=training)
        matched = inputs if self.shape_match_conv is None else self.shape_match_conv(inputs)
        return self.activation(x + matched), x


def main(begin):
    rng = np.random.RandomState(40)
    x = rng.rand(40, n_steps, 2).astype("float32")
    x[:, :, 1] = rng.rand(40, n_steps) > 0.8
    y = (x[:, :, 0] * x[:, :, 1]).sum(axis=1)
    i = Input(shape=(n_steps, 2))
    h, skip_connections = i, []
    for d in (1, 2, 4):
        h, skip_out = ResidualBlock(dilation_rate=d, nb_filters=6, kernel_size=3, padding="causal",
                                    name=f"block_{d}")(h)
        skip_connections.append(skip_out)
    h = add(skip_connections)
    o = Lambda(lambda tt: tt[:, -1, :], output_shape=(6,))(h)
    o = Dense(1)(o)
    m = keras.Model(inputs=[i], outputs=[o])
    m.compile(optimizer=keras.optimizers.Adam(clipnorm=1.0), loss="mse")
    begin(m)
    history = m.fit(x, y, epochs=2, batch_size=10, validation_split=0.2, shuffle=False, verbose=0)
    return {"history": history.history, "predictions": m.predict(x)}
