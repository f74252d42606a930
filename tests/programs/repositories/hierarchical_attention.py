# SPDX-License-Identifier: Apache-2.0
"""Documents as sentences of words, an attention layer at both levels: after richliao/textClassifier's
textClassifierHATT.py."""

import numpy as np
from keras import backend as K
from keras import initializers
from keras.layers import GRU, Bidirectional, Dense, Embedding, Input, Layer, TimeDistributed
from keras.models import Model

MAX_SENT_LENGTH, MAX_SENTS, EMBEDDING_DIM, words = 6, 4, 7, 30


class AttLayer(Layer):
    def __init__(self, attention_dim):
        self.init = initializers.get("normal")
        self.supports_masking = True
        self.attention_dim = attention_dim
        super().__init__()

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.W = self.add_weight(name="W", shape=(input_shape[-1], self.attention_dim), initializer=self.init)
        self.b = self.add_weight(name="b", shape=(self.attention_dim,), initializer=self.init)
        self.u = self.add_weight(name="u", shape=(self.attention_dim, 1), initializer=self.init)
        super().build(input_shape)

    def compute_mask(self, inputs, mask=None):
        return None

    def call(self, x, mask=None):
        uit = K.tanh(K.bias_add(K.dot(x, self.W), self.b))
        ait = K.dot(uit, self.u)
        ait = K.squeeze(ait, -1)
        ait = K.exp(ait)
        if mask is not None:
            ait *= K.cast(mask, K.floatx())
        ait /= K.cast(K.sum(ait, axis=1, keepdims=True) + K.epsilon(), K.floatx())
        ait = K.expand_dims(ait)
        weighted_input = x * ait
        return K.sum(weighted_input, axis=1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


def main(begin):
    rng = np.random.RandomState(33)
    data = rng.randint(1, words, (24, MAX_SENTS, MAX_SENT_LENGTH))
    labels = np.eye(3)[data[:, 0, 0] % 3]
    sentence_input = Input(shape=(MAX_SENT_LENGTH,), dtype="int32")
    embedded_sequences = Embedding(words, EMBEDDING_DIM, mask_zero=False)(sentence_input)
    l_lstm = Bidirectional(GRU(6, return_sequences=True))(embedded_sequences)
    l_att = AttLayer(5)(l_lstm)
    sentEncoder = Model(sentence_input, l_att)
    review_input = Input(shape=(MAX_SENTS, MAX_SENT_LENGTH), dtype="int32")
    review_encoder = TimeDistributed(sentEncoder)(review_input)
    l_lstm_sent = Bidirectional(GRU(6, return_sequences=True))(review_encoder)
    l_att_sent = AttLayer(5)(l_lstm_sent)
    preds = Dense(3, activation="softmax")(l_att_sent)
    model = Model(review_input, preds)
    model.compile(loss="categorical_crossentropy", optimizer="sgd", metrics=["acc"])
    begin(model)
    history = model.fit(data, labels, validation_data=(data[:8], labels[:8]), epochs=2, batch_size=8, shuffle=False,
                        verbose=0)
    return {"history": history.history, "predictions": model.predict(data)}
