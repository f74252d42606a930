# SPDX-License-Identifier: Apache-2.0
"""A decoder that attends by BahdanauAttention at every step, as Model subclasses: after TensorFlow's tutorial "Neural
machine translation with attention", trained by `fit`."""

import numpy as np
from tensorflow import keras

vocab_inp_size, vocab_tar_size, embedding_dim, units = 12, 10, 6, 8
ops = keras.ops


class Encoder(keras.Model):
    def __init__(self, vocab_size, embedding_dim, enc_units):
        super().__init__()
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = keras.layers.GRU(enc_units, return_sequences=True, return_state=True,
                                    recurrent_initializer="glorot_uniform")

    def call(self, x):
        x = self.embedding(x)
        output, state = self.gru(x)
        return output, state


class BahdanauAttention(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.W1 = keras.layers.Dense(units)
        self.W2 = keras.layers.Dense(units)
        self.V = keras.layers.Dense(1)

    def call(self, query, values):
        query_with_time_axis = ops.expand_dims(query, 1)
        score = self.V(ops.tanh(self.W1(query_with_time_axis) + self.W2(values)))
        attention_weights = ops.softmax(score, axis=1)
        context_vector = attention_weights * values
        context_vector = ops.sum(context_vector, axis=1)
        return context_vector, attention_weights


class Decoder(keras.Model):
    def __init__(self, vocab_size, embedding_dim, dec_units):
        super().__init__()
        self.embedding = keras.layers.Embedding(vocab_size, embedding_dim)
        self.gru = keras.layers.GRU(dec_units, return_sequences=True, return_state=True)
        self.fc = keras.layers.Dense(vocab_size)
        self.attention = BahdanauAttention(dec_units)

    def call(self, x, hidden, enc_output):
        context_vector, attention_weights = self.attention(hidden, enc_output)
        x = self.embedding(x)
        x = ops.concatenate([ops.expand_dims(context_vector, 1), x], axis=-1)
        output, state = self.gru(x)
        output = ops.reshape(output, (-1, output.shape[2]))
        x = self.fc(output)
        return x, state, attention_weights


class Translator(keras.Model):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder(vocab_inp_size, embedding_dim, units)
        self.decoder = Decoder(vocab_tar_size, embedding_dim, units)

    def call(self, inputs):
        inp, targ = inputs
        enc_output, dec_hidden = self.encoder(inp)
        logits = []
        for t in range(targ.shape[1]):
            predictions, dec_hidden, _ = self.decoder(targ[:, t : t + 1], dec_hidden, enc_output)
            logits.append(predictions)
        return ops.stack(logits, axis=1)


def loss_function(real, pred):
    mask = ops.cast(ops.not_equal(real, 0), pred.dtype)
    loss_ = keras.losses.sparse_categorical_crossentropy(real, pred, from_logits=True)
    return ops.mean(loss_ * mask)


def main(begin):
    rng = np.random.default_rng(6)
    inp = rng.integers(1, vocab_inp_size, (24, 6)).astype("int32")
    targ = rng.integers(0, vocab_tar_size, (24, 5)).astype("int32")
    model = Translator()
    model([inp[:2], targ[:2, :-1]])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss_function)
    begin(model)
    history = model.fit([inp, targ[:, :-1]], targ[:, 1:], batch_size=8, epochs=2, shuffle=False, verbose=0)

    enc_output, dec_hidden = model.encoder(inp[:1])
    dec_input, result, plot = np.array([[1]], "int32"), [], []
    for _ in range(4):
        predictions, dec_hidden, attention_weights = model.decoder(dec_input, dec_hidden, enc_output)
        plot.append(ops.convert_to_numpy(attention_weights).reshape(-1))
        result.append(int(np.argmax(ops.convert_to_numpy(predictions)[0])))
        dec_input = np.array([[result[-1]]], "int32")
    return {"loss": history.history["loss"], "result": result, "attention": plot,
            "predictions": model.predict([inp, targ[:, :-1]])}
