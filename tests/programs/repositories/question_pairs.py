# SPDX-License-Identifier: Apache-2.0
"""Are these two questions the same: one encoder, then difference, product and dot product: after bradleypallen/
keras-quora-question-pairs and Kaggle's kernels."""

import numpy as np
from keras.layers import (
    LSTM,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Input,
    Lambda,
    concatenate,
    multiply,
    subtract,
)
from keras.models import Model

MAX_SEQUENCE_LENGTH, nb_words, EMBEDDING_DIM = 8, 40, 7


def main(begin):
    rng = np.random.RandomState(38)
    q1 = rng.randint(1, nb_words, (48, MAX_SEQUENCE_LENGTH))
    q2 = np.where(rng.rand(48, 1) > 0.5, q1, rng.randint(1, nb_words, (48, MAX_SEQUENCE_LENGTH)))
    labels = (q1 == q2).all(axis=1).astype("int32")
    embedding = Embedding(nb_words, EMBEDDING_DIM, input_length=MAX_SEQUENCE_LENGTH, trainable=False)
    encoder = Bidirectional(LSTM(6, dropout=0.0, recurrent_dropout=0.0))
    sequence_1_input = Input(shape=(MAX_SEQUENCE_LENGTH,), dtype="int32")
    sequence_2_input = Input(shape=(MAX_SEQUENCE_LENGTH,), dtype="int32")
    x1 = encoder(embedding(sequence_1_input))
    y1 = encoder(embedding(sequence_2_input))
    difference = subtract([x1, y1])
    squared = multiply([difference, difference])
    cosine = Dot(axes=1, normalize=True)([x1, y1])
    absolute = Lambda(lambda d: abs(d), output_shape=(12,))(difference)
    merged = concatenate([x1, y1, squared, cosine, absolute])
    merged = Dropout(0.0)(merged)
    merged = BatchNormalization()(merged)
    merged = Dense(8, activation="relu")(merged)
    merged = BatchNormalization()(merged)
    preds = Dense(1, activation="sigmoid")(merged)
    model = Model(inputs=[sequence_1_input, sequence_2_input], outputs=preds)
    model.compile(loss="binary_crossentropy", optimizer="nadam", metrics=["acc"])
    begin(model)
    history = model.fit([q1, q2], labels, validation_data=([q1[:8], q2[:8]], labels[:8], np.linspace(0.5, 1.5, 8)),
                        epochs=2,
                        batch_size=12, class_weight={0: 1.309, 1: 0.472}, shuffle=False, verbose=0)
    return {"history": history.history, "predictions": model.predict([q1, q2])}
