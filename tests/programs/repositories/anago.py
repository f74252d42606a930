# SPDX-License-Identifier: Apache-2.0
"""Names in sentences from words and their characters, masked: after Hironsan/anago's models.py, its CRF left out."""

import numpy as np
from keras.layers import LSTM, Bidirectional, Concatenate, Dense, Dropout, Embedding, Input, TimeDistributed
from keras.models import Model
from keras.utils import Sequence, to_categorical

num_labels, word_vocab_size, char_vocab_size = 5, 30, 12
word_embedding_dim, char_embedding_dim, word_lstm_size, char_lstm_size, fc_dim = 8, 5, 7, 4, 6


class BiLSTM:
    def build(self):
        word_ids = Input(batch_shape=(None, None), dtype="int32", name="word_input")
        word_embeddings = Embedding(input_dim=word_vocab_size, output_dim=word_embedding_dim, mask_zero=True,
                                    name="word_embedding")(word_ids)
        char_ids = Input(batch_shape=(None, None, 4), dtype="int32", name="char_input")
        char_embeddings = Embedding(input_dim=char_vocab_size, output_dim=char_embedding_dim, mask_zero=False,
                                    name="char_embedding")(char_ids)
        char_embeddings = TimeDistributed(Bidirectional(LSTM(char_lstm_size)))(char_embeddings)
        word_embeddings = Concatenate()([word_embeddings, char_embeddings])
        word_embeddings = Dropout(0.0)(word_embeddings)
        z = Bidirectional(LSTM(units=word_lstm_size, return_sequences=True))(word_embeddings)
        z = Dense(fc_dim, activation="tanh")(z)
        pred = Dense(num_labels, activation="softmax")(z)
        return Model(inputs=[word_ids, char_ids], outputs=pred)


class NERSequence(Sequence):
    def __init__(self, words, chars, labels, batch_size=4, **kwargs):
        super().__init__(**kwargs)
        self.x, self.chars, self.y, self.batch_size = words, chars, labels, batch_size

    def __getitem__(self, idx):
        at = slice(idx * self.batch_size, (idx + 1) * self.batch_size)
        return (self.x[at], self.chars[at]), to_categorical(self.y[at], num_labels)

    def __len__(self):
        return len(self.x) // self.batch_size


def main(begin):
    rng = np.random.RandomState(28)
    words = rng.randint(1, word_vocab_size, (24, 7))
    chars = rng.randint(1, char_vocab_size, (24, 7, 4))
    for i, length in enumerate(rng.randint(4, 8, 24)):
        words[i, length:] = 0
        chars[i, length:] = 0
    labels = words % num_labels
    model = BiLSTM().build()
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    begin(model)
    history = model.fit_generator(generator=NERSequence(words, chars, labels), epochs=3, shuffle=False, verbose=0)
    return {"loss": history.history["loss"], "predictions": model.predict([words, chars])}
