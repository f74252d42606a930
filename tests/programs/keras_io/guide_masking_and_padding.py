# SPDX-License-Identifier: Apache-2.0
"""Masks made, passed on, read and computed with by layers of one's own: after the guide "Understanding masking and
padding"."""

import keras
import numpy as np
from keras import layers, ops


class TemporalSplit(keras.layers.Layer):
    def call(self, inputs):
        half = inputs.shape[1] // 2
        return inputs[:, :half], inputs[:, half:]

    def compute_mask(self, inputs, mask=None):
        if mask is None:
            return None
        half = inputs.shape[1] // 2
        return mask[:, :half], mask[:, half:]


class CustomEmbedding(keras.layers.Layer):
    def __init__(self, input_dim, output_dim, mask_zero=False, **kwargs):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero

    def build(self, input_shape):
        self.embeddings = self.add_weight(shape=(self.input_dim, self.output_dim), initializer="random_normal")

    def call(self, inputs):
        inputs = ops.cast(inputs, "int32")
        return ops.take(self.embeddings, inputs, axis=0)

    def compute_mask(self, inputs, mask=None):
        if not self.mask_zero:
            return None
        return ops.not_equal(inputs, 0)


class MyActivation(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        return ops.relu(inputs)


class TemporalSoftmax(keras.layers.Layer):
    def call(self, inputs, mask=None):
        broadcast_float_mask = ops.expand_dims(ops.cast(mask, "float32"), -1)
        inputs_exp = ops.exp(inputs) * broadcast_float_mask
        inputs_sum = ops.sum(inputs_exp * broadcast_float_mask, axis=1, keepdims=True)
        return inputs_exp / inputs_sum


def train(begin, inputs, outputs, x, y):
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse", metrics=["mae"])
    begin(model)
    history = model.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    return history.history, model.predict(x)


def main(begin):
    raw_inputs = [[7, 11, 6], [3, 9, 2, 5, 8], [8, 4, 1, 11, 2, 6], [5]]
    padded_inputs = keras.utils.pad_sequences(raw_inputs, padding="post")
    embedding = layers.Embedding(input_dim=12, output_dim=4, mask_zero=True)
    mask = ops.convert_to_numpy(embedding.compute_mask(padded_inputs))
    unmasked = np.tile(np.expand_dims(padded_inputs, axis=-1), [1, 1, 3]).astype("float32")
    masked = ops.convert_to_numpy(layers.Masking().compute_mask(unmasked))
    y = padded_inputs[:, :1] / 10.0

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = CustomEmbedding(12, 4, mask_zero=True)(inputs)
    x = MyActivation()(x)
    passed = train(begin, inputs, layers.Dense(1)(layers.LSTM(5)(x)), padded_inputs, y)

    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(input_dim=12, output_dim=5, mask_zero=True)(inputs)
    x = layers.Dense(1)(x)
    outputs = TemporalSoftmax()(x)
    softmax = train(begin, inputs, outputs, padded_inputs, np.where(padded_inputs > 6, 1.0, 0.0)[..., None])

    inputs = keras.Input(shape=(6,), dtype="int32")
    first, second = TemporalSplit()(layers.Embedding(13, 4, mask_zero=True)(inputs))
    halves = layers.concatenate([layers.GRU(3)(first), layers.GRU(4)(second)])
    split = train(begin, inputs, layers.Dense(1)(halves), padded_inputs[:1].repeat(4, 0) + np.arange(4)[:, None] % 2, y)
    return {"mask": mask, "masked": masked, "passed": passed, "softmax": softmax, "split": split}
