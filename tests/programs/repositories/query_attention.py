# SPDX-License-Identifier: Apache-2.0
"""Questions attending to answers: Attention and AdditiveAttention between convolved or recurrent sequences: after
Keras's documentation of Attention and the question-answering programs around it."""

import keras
import numpy as np
from keras.layers import (
    GRU,
    AdditiveAttention,
    Attention,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    Input,
    UpSampling1D,
    ZeroPadding1D,
)

tokens, dimension, units = 30, 6, 6


def main(begin):
    rng = np.random.RandomState(47)
    queries = rng.randint(1, tokens, (32, 5))
    values = rng.randint(1, tokens, (32, 8))
    values[:, 6:] *= rng.randint(0, 2, (32, 1))
    y = (queries[:, 0] > 15).astype("float32")
    query_input, value_input = Input(shape=(None,), dtype="int32"), Input(shape=(None,), dtype="int32")
    token_embedding = Embedding(input_dim=tokens, output_dim=dimension, mask_zero=True)
    query_embeddings = token_embedding(query_input)
    value_embeddings = token_embedding(value_input)
    rnn_layer = Bidirectional(GRU(units // 2, return_sequences=True))
    query_seq_encoding = rnn_layer(query_embeddings)
    value_seq_encoding = rnn_layer(value_embeddings)
    additive = AdditiveAttention()([query_seq_encoding, value_seq_encoding])
    attended, scores = Attention(use_scale=True)([query_seq_encoding, value_seq_encoding], return_attention_scores=True)
    cnn_layer = Conv1D(filters=units, kernel_size=3, padding="same")
    spread = UpSampling1D(2)(ZeroPadding1D((1, 0))(cnn_layer(query_seq_encoding)))
    parts = [GlobalAveragePooling1D()(part) for part in (query_seq_encoding, additive, attended, spread)]
    output = Dense(1, activation="sigmoid")(Concatenate()(parts))
    model = keras.Model([query_input, value_input], output)
    model.compile(optimizer="adamax", loss="binary_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit([queries, values], y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    looking = keras.Model(model.inputs, scores)
    return {"history": history.history, "scores": looking.predict([queries, values]),
            "predictions": model.predict([queries, values])}
