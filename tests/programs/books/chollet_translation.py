# SPDX-License-Identifier: Apache-2.0
"""English to Spanish with a GRU both ways, summed, whose state begins the decoder: after chapter 11 of the second
edition of Chollet's "Deep Learning with Python"."""

import os
import string

os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
from tensorflow import keras
from tensorflow.keras import layers

TEXT_PAIRS = [("Tom walks home.", "Tom va a casa."), ("I see a house", "Veo una casa"),
              ("He sees the cat", "Ve el gato"),
              ("The cat walks", "El gato va"), ("Tom sees a cat.", "Tom ve un gato."), ("I walk home", "Voy a casa")]
vocab_size, sequence_length, embed_dim, latent_dim = 24, 6, 8, 10
strip_chars = string.punctuation + "¿"


def main(begin):
    text_pairs = [(english, "start " + spanish + " end") for english, spanish in TEXT_PAIRS]
    source_vectorization = layers.TextVectorization(max_tokens=vocab_size, output_mode="int",
                                                    output_sequence_length=sequence_length)
    target_vectorization = layers.TextVectorization(max_tokens=vocab_size, output_mode="int",
                                                    output_sequence_length=sequence_length + 1)
    source_vectorization.adapt(np.array([pair[0] for pair in text_pairs]))
    target_vectorization.adapt(np.array([pair[1] for pair in text_pairs]))
    eng = keras.ops.convert_to_numpy(source_vectorization(np.array([pair[0] for pair in text_pairs] * 4)))
    spa = keras.ops.convert_to_numpy(target_vectorization(np.array([pair[1] for pair in text_pairs] * 4)))
    inputs = {"english": eng, "spanish": spa[:, :-1]}

    source = keras.Input(shape=(None,), dtype="int64", name="english")
    x = layers.Embedding(vocab_size, embed_dim, mask_zero=True)(source)
    encoded_source = layers.Bidirectional(layers.GRU(latent_dim), merge_mode="sum")(x)
    past_target = keras.Input(shape=(None,), dtype="int64", name="spanish")
    x = layers.Embedding(vocab_size, embed_dim, mask_zero=True)(past_target)
    decoder_gru = layers.GRU(latent_dim, return_sequences=True)
    x = decoder_gru(x, initial_state=encoded_source)
    x = layers.Dropout(0.0)(x)
    target_next_step = layers.Dense(vocab_size, activation="softmax")(x)
    seq2seq_rnn = keras.Model([source, past_target], target_next_step)
    seq2seq_rnn.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    begin(seq2seq_rnn)
    history = seq2seq_rnn.fit(inputs, spa[:, 1:], epochs=3, batch_size=8, shuffle=False, verbose=0)

    spa_index_lookup = dict(enumerate(target_vectorization.get_vocabulary()))
    decoded_sentence = "start"
    for i in range(4):
        tokenized = keras.ops.convert_to_numpy(target_vectorization(np.array([decoded_sentence])))
        next_token_predictions = seq2seq_rnn.predict([eng[:1], tokenized[:, :-1]], verbose=0)
        sampled_token_index = np.argmax(next_token_predictions[0, i, 2:]) + 2
        decoded_sentence += " " + str(spa_index_lookup[int(sampled_token_index)])
    return {"history": history.history, "eng": eng[:6], "spa": spa[:6], "decoded": decoded_sentence,
            "predictions": seq2seq_rnn.predict(inputs)}
