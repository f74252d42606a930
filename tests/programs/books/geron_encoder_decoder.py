# SPDX-License-Identifier: Apache-2.0
"""Bidirectional encoder, states joined, attention by Keras's layer: after chapter 16 of the third edition of Géron's
"Hands-On Machine Learning"."""

import numpy as np
from tensorflow import keras

vocab_size, max_length, embed_size = 20, 7, 8


def main(begin):
    rng = np.random.default_rng(26)
    X = rng.integers(1, vocab_size, (32, max_length))
    X[:, 5:] *= rng.integers(0, 2, (32, 1))
    X_dec = rng.integers(1, vocab_size, (32, max_length))
    Y = np.roll(X_dec, -1, axis=1)

    encoder_inputs = keras.layers.Input(shape=[None], dtype="int32")
    decoder_inputs = keras.layers.Input(shape=[None], dtype="int32")
    encoder_embedding_layer = keras.layers.Embedding(vocab_size, embed_size, mask_zero=True)
    decoder_embedding_layer = keras.layers.Embedding(vocab_size, embed_size, mask_zero=True)
    encoder_embeddings = encoder_embedding_layer(encoder_inputs)
    decoder_embeddings = decoder_embedding_layer(decoder_inputs)
    encoder = keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True, return_state=True))
    encoder_outputs, *encoder_state = encoder(encoder_embeddings)
    encoder_state = [keras.layers.Concatenate(axis=-1)(encoder_state[::2]),
                     keras.layers.Concatenate(axis=-1)(encoder_state[1::2])]
    decoder = keras.layers.LSTM(12, return_sequences=True)
    decoder_outputs = decoder(decoder_embeddings, initial_state=encoder_state)
    attention_layer = keras.layers.Attention()
    attention_outputs = attention_layer([decoder_outputs, encoder_outputs])
    output_layer = keras.layers.Dense(vocab_size, activation="softmax")
    Y_proba = output_layer(attention_outputs)
    model = keras.Model(inputs=[encoder_inputs, decoder_inputs], outputs=[Y_proba])
    model.compile(loss="sparse_categorical_crossentropy", optimizer="nadam", metrics=["accuracy"])
    begin(model)
    history = model.fit((X, X_dec), Y, epochs=2, batch_size=8, validation_data=((X[:8], X_dec[:8]), Y[:8]),
                        shuffle=False, verbose=0)
    return {"history": history.history, "predictions": model.predict((X, X_dec))}
