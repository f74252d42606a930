# SPDX-License-Identifier: Apache-2.0
"""Shared layers, several inputs and outputs, models as layers, and features out: after the guide "The functional
API"."""

import keras
import numpy as np
from keras import layers, ops


@keras.saving.register_keras_serializable()
class CustomDense(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="random_normal", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return {"units": self.units}


def tickets(begin, rng):
    num_tags, num_words, num_departments = 6, 40, 4
    title_input = keras.Input(shape=(None,), name="title")
    body_input = keras.Input(shape=(None,), name="body")
    tags_input = keras.Input(shape=(num_tags,), name="tags")
    title_features = layers.Embedding(num_words, 8)(title_input)
    body_features = layers.Embedding(num_words, 8)(body_input)
    title_features = layers.LSTM(12)(title_features)
    body_features = layers.LSTM(6)(body_features)
    x = layers.concatenate([title_features, body_features, tags_input])
    priority_pred = layers.Dense(1, name="priority")(x)
    department_pred = layers.Dense(num_departments, name="department")(x)
    model = keras.Model(inputs=[title_input, body_input, tags_input],
                        outputs={"priority": priority_pred, "department": department_pred})
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss={
            "priority": keras.losses.BinaryCrossentropy(from_logits=True),
            "department": keras.losses.CategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"priority": 1.0, "department": 0.2},
    )
    begin(model)
    data = {"title": rng.integers(0, num_words, (32, 5)), "body": rng.integers(0, num_words, (32, 9)),
            "tags": rng.integers(0, 2, (32, num_tags)).astype("float32")}
    targets = {"priority": rng.integers(0, 2, (32, 1)), "department": np.eye(num_departments)[rng.integers(0, 4, 32)]}
    history = model.fit(data, targets, epochs=2, batch_size=16, shuffle=False, verbose=0)
    return history.history, model.predict(data)


def autoencoder(begin, x):
    encoder_input = keras.Input(shape=(8, 3), name="original")
    encoder_output = layers.GlobalMaxPooling1D()(layers.Conv1D(6, 3, activation="relu")(encoder_input))
    encoder = keras.Model(encoder_input, encoder_output, name="encoder")
    decoder_input = keras.Input(shape=(6,), name="encoded")
    decoder_output = layers.LSTM(3, return_sequences=True)(layers.RepeatVector(8)(decoder_input))
    decoder = keras.Model(decoder_input, decoder_output, name="decoder")
    autoencoder_input = keras.Input(shape=(8, 3), name="signal")
    autoencoder = keras.Model(autoencoder_input, decoder(encoder(autoencoder_input)), name="autoencoder")
    autoencoder.compile("adam", "mse")
    begin(autoencoder)
    history = autoencoder.fit(x, x, epochs=2, batch_size=16, shuffle=False, verbose=0)
    features = keras.Model(inputs=encoder.inputs, outputs=[layer.output for layer in encoder.layers])
    return history.history["loss"], features.predict(x[:2]), encoder.predict(x)


def main(begin):
    rng = np.random.default_rng(12)
    x = rng.normal(size=(32, 8, 3)).astype("float32")
    shared_embedding = layers.Embedding(10, 4)
    text_input_a, text_input_b = keras.Input(shape=(None,), dtype="int32"), keras.Input(shape=(None,), dtype="int32")
    encoded = [shared_embedding(text_input_a), shared_embedding(text_input_b)]
    model = keras.Model([text_input_a, text_input_b], CustomDense(3)(layers.average(encoded)))
    begin(model)
    ids = rng.integers(0, 10, (2, 5))
    config = model.get_config()
    new_model = keras.Model.from_config(config)
    new_model.set_weights(model.get_weights())
    return {"tickets": tickets(begin, rng), "autoencoder": autoencoder(begin, x),
            "shared": model.predict([ids, ids[::-1]]),
            "copied": new_model.predict([ids, ids[::-1]])}
