# SPDX-License-Identifier: Apache-2.0
"""Topics of news from binary matrices by a Tokenizer, and pairs by a contrastive loss over one network: after Keras
2's examples/reuters_mlp.py and mnist_siamese.py."""

import numpy as np
from keras import backend as K
from keras.layers import LSTM, Activation, Dense, Dropout, Input, Lambda
from keras.models import Model, Sequential
from keras.optimizers import RMSprop
from keras.preprocessing.text import Tokenizer
from keras.utils import to_categorical

max_words = 30


def euclidean_distance(vects):
    x, y = vects
    sum_square = K.sum(K.square(x - y), axis=1, keepdims=True)
    return K.sqrt(K.maximum(sum_square, K.epsilon()))


def eucl_dist_output_shape(shapes):
    shape1, _ = shapes
    return (shape1[0], 1)


def contrastive_loss(y_true, y_pred):
    margin = 1
    square_pred = K.square(y_pred)
    margin_square = K.square(K.maximum(margin - y_pred, 0))
    return K.mean(y_true * square_pred + (1 - y_true) * margin_square)


def accuracy(y_true, y_pred):
    return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))


def create_base_network(input_shape):
    input = Input(shape=input_shape)
    x = LSTM(8)(input)
    x = Dense(8, activation="relu")(x)
    x = Dropout(0.0)(x)
    return Model(input, Dense(6, activation="relu")(x))


def main(begin):
    rng = np.random.RandomState(43)
    sequences = [rng.randint(1, max_words, 15).tolist() for _ in range(40)]
    tokenizer = Tokenizer(num_words=max_words)
    x_train = tokenizer.sequences_to_matrix(sequences, mode="binary")
    y_train = to_categorical([s[0] % 5 for s in sequences], 5)
    model = Sequential()
    model.add(Dense(16, input_shape=(max_words,)))
    model.add(Activation("relu"))
    model.add(Dropout(0.0))
    model.add(Dense(5))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    begin(model)
    topics = model.fit(x_train, y_train, batch_size=8, epochs=2, verbose=0, validation_split=0.1, shuffle=False)

    pairs = rng.randn(2, 40, 5, 3).astype("float32")
    tr_y = rng.randint(0, 2, (40, 1)).astype("float32")
    base_network = create_base_network((5, 3))
    input_a, input_b = Input(shape=(5, 3)), Input(shape=(5, 3))
    processed_a = base_network(input_a)
    processed_b = base_network(input_b)
    distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)([processed_a, processed_b])
    siamese = Model([input_a, input_b], distance)
    siamese.compile(loss=contrastive_loss, optimizer=RMSprop(), metrics=[accuracy])
    begin(siamese)
    history = siamese.fit([pairs[0], pairs[1]], tr_y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return {"topics": topics.history, "history": history.history, "predictions": siamese.predict([pairs[0], pairs[1]])}
