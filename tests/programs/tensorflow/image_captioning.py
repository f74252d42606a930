# SPDX-License-Identifier: Apache-2.0
"""Captions of pictures given as a dictionary of inputs, the image's vector as the first state: after TensorFlow's
tutorial "Image captioning"."""

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

vocab_size, max_length, features = 15, 6, 10


def masked_loss(labels, preds):
    loss = keras.losses.sparse_categorical_crossentropy(labels, preds, from_logits=True)
    mask = keras.ops.cast(labels != 0, loss.dtype)
    return keras.ops.sum(loss * mask) / keras.ops.sum(mask)


def main(begin):
    rng = np.random.default_rng(7)
    image = rng.normal(size=(30, features)).astype("float32")
    caption = rng.integers(1, vocab_size, (30, max_length + 1))
    caption[:, 5:] *= rng.integers(0, 2, (30, 1))

    image_input = keras.Input(shape=(features,), name="image")
    caption_input = keras.Input(shape=(max_length,), dtype="int64", name="caption")
    state = layers.Dense(12, activation="tanh")(layers.BatchNormalization()(image_input))
    x = layers.Embedding(vocab_size, 8, mask_zero=True)(caption_input)
    x = layers.GRU(12, return_sequences=True)(x, initial_state=state)
    picture = layers.RepeatVector(max_length)(state)
    x = layers.Concatenate()([x, picture])
    x = layers.Dense(12, activation="relu")(x)
    x = layers.Dense(vocab_size)(x)
    model = keras.Model({"image": image_input, "caption": caption_input}, x)
    model.compile(keras.optimizers.Adam(1e-2), loss=masked_loss)
    begin(model)
    inputs = {"image": image, "caption": caption[:, :-1]}
    history = model.fit(inputs, caption[:, 1:], batch_size=10, epochs=2, shuffle=False, verbose=0)
    tokens = np.zeros((1, max_length), "int64")
    tokens[0, 0] = 1
    for i in range(1, max_length):
        tokens[0, i] = model.predict({"image": image[:1], "caption": tokens}, verbose=0)[0, i - 1].argmax()
    return {"loss": history.history["loss"], "tokens": tokens, "predictions": model.predict(inputs)}
