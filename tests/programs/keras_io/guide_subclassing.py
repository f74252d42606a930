# SPDX-License-Identifier: Apache-2.0
"""Layers of layers, lazy weights, add_loss, and an autoencoder trained as a model: after the guide "Making new layers
and models via subclassing"."""

import keras
import numpy as np
from keras import layers, ops


class Linear(keras.layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="random_normal", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        config = super().get_config()
        config.update({"units": self.units})
        return config


class ComputeSum(keras.layers.Layer):
    def __init__(self, input_dim):
        super().__init__()
        self.total = self.add_weight(initializer="zeros", shape=(input_dim,), trainable=False)

    def call(self, inputs):
        self.total.assign_add(ops.sum(inputs, axis=0))
        return self.total


class ActivityRegularizationLayer(keras.layers.Layer):
    def __init__(self, rate=1e-2):
        super().__init__()
        self.rate = rate

    def call(self, inputs):
        self.add_loss(self.rate * ops.mean(ops.square(inputs)))
        return inputs


class Encoder(layers.Layer):
    def __init__(self, latent_dim=4, intermediate_dim=8, name="encoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
        self.dense_mean = layers.Dense(latent_dim)
        self.dense_log_var = Linear(latent_dim)

    def call(self, inputs):
        x = self.dense_proj(inputs)
        return self.dense_mean(x), self.dense_log_var(x)


class AutoEncoder(keras.Model):
    def __init__(self, original_dim, intermediate_dim=8, latent_dim=4, name="autoencoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.encoder = Encoder(latent_dim=latent_dim, intermediate_dim=intermediate_dim)
        self.activity = ActivityRegularizationLayer()
        self.decoder = keras.Sequential([layers.Dense(intermediate_dim, activation="relu"),
                                         layers.Dense(original_dim, activation="sigmoid")])

    def call(self, inputs, training=False):
        z_mean, z_log_var = self.encoder(inputs)
        z = self.activity(z_mean) + ops.exp(0.5 * z_log_var) * 0.1
        kl_loss = -0.5 * ops.mean(z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1)
        self.add_loss(kl_loss)
        return self.decoder(z)


def main(begin):
    rng = np.random.default_rng(13)
    my_sum = ComputeSum(2)
    x = np.ones((2, 2), "float32")
    sums = [ops.convert_to_numpy(my_sum(x)).copy(), ops.convert_to_numpy(my_sum(x)).copy()]
    counts = [len(my_sum.weights), len(my_sum.non_trainable_weights), len(my_sum.trainable_weights)]
    layer = Linear(64)
    new_layer = Linear.from_config(layer.get_config())

    x_train = rng.random((48, 10)).astype("float32")
    vae = AutoEncoder(10)
    vae(x_train[:1])
    optimizer = keras.optimizers.Adam(learning_rate=1e-3)
    vae.compile(optimizer, loss=keras.losses.MeanSquaredError())
    begin(vae)
    history = vae.fit(x_train, x_train, epochs=2, batch_size=16, shuffle=False, verbose=0)
    return {"sums": sums, "counts": counts, "units": new_layer.units, "loss": history.history["loss"],
            "predictions": vae.predict(x_train)}
