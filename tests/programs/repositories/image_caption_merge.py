# SPDX-License-Identifier: Apache-2.0
"""A picture's vector beside the words so far, merged by add, from a generator: after Machine Learning Mastery's "photo
caption generator"."""

import numpy as np
from keras.layers import LSTM, Dense, Dropout, Embedding, Input
from keras.layers.merge import add
from keras.models import Model
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer
from keras.utils import to_categorical

DESCRIPTIONS = {"dog": "startseq dog runs over grass endseq", "cat": "startseq black cat sits on sofa endseq",
                "boy": "startseq boy runs on grass with dog endseq"}


def create_sequences(tokenizer, max_length, desc, photo, vocab_size):
    X1, X2, y = [], [], []
    seq = tokenizer.texts_to_sequences([desc])[0]
    for i in range(1, len(seq)):
        in_seq, out_seq = seq[:i], seq[i]
        X1.append(photo)
        X2.append(pad_sequences([in_seq], maxlen=max_length)[0])
        y.append(to_categorical([out_seq], num_classes=vocab_size)[0])
    return np.array(X1), np.array(X2), np.array(y)


def data_generator(descriptions, photos, tokenizer, max_length, vocab_size):
    while 1:
        for key, desc in descriptions.items():
            in_img, in_seq, out_word = create_sequences(tokenizer, max_length, desc, photos[key], vocab_size)
            yield (in_img, in_seq), out_word


def main(begin):
    rng = np.random.RandomState(37)
    photos = {key: rng.rand(12) for key in DESCRIPTIONS}
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(list(DESCRIPTIONS.values()))
    vocab_size, max_length = len(tokenizer.word_index) + 1, max(len(d.split()) for d in DESCRIPTIONS.values())
    inputs1 = Input(shape=(12,))
    fe1 = Dropout(0.0)(inputs1)
    fe2 = Dense(8, activation="relu")(fe1)
    inputs2 = Input(shape=(max_length,))
    se1 = Embedding(vocab_size, 8, mask_zero=True)(inputs2)
    se2 = Dropout(0.0)(se1)
    se3 = LSTM(8)(se2)
    decoder1 = add([fe2, se3])
    decoder2 = Dense(8, activation="relu")(decoder1)
    outputs = Dense(vocab_size, activation="softmax")(decoder2)
    model = Model(inputs=[inputs1, inputs2], outputs=outputs)
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    begin(model)
    losses = []
    for _ in range(3):
        generator = data_generator(DESCRIPTIONS, photos, tokenizer, max_length, vocab_size)
        losses += model.fit_generator(generator, epochs=1, steps_per_epoch=len(DESCRIPTIONS), verbose=0).history["loss"]
    in_text = "startseq"
    for _ in range(4):
        sequence = pad_sequences([tokenizer.texts_to_sequences([in_text])[0]], maxlen=max_length)
        yhat = np.argmax(model.predict([photos["dog"][None], sequence], verbose=0))
        in_text += " " + tokenizer.index_word.get(int(yhat), "")
    batch = next(data_generator(DESCRIPTIONS, photos, tokenizer, max_length, vocab_size))
    return {"loss": losses, "text": in_text, "predictions": model.predict(batch[0])}
