# SPDX-License-Identifier: Apache-2.0
"""Words in pictures: convolutions, GRUs both ways, and CTC in a Lambda: after Keras 2's examples/image_ocr.py."""

import numpy as np
from keras import backend as K
from keras.layers import Activation, Dense, Input, Lambda, Reshape
from keras.layers.convolutional import Conv2D, MaxPooling2D
from keras.layers.merge import add, concatenate
from keras.layers.recurrent import GRU
from keras.models import Model
from keras.optimizers import SGD

img_w, img_h = 32, 8
conv_filters, kernel_size, pool_size = 4, (3, 3), 2
time_dense_size, rnn_size = 8, 12
letters, absolute_max_string_len = "abcdef", 4
minibatch_size = 8


def ctc_lambda_func(args):
    y_pred, labels, input_length, label_length = args
    y_pred = y_pred[:, 2:, :]
    return K.ctc_batch_cost(labels, y_pred, input_length, label_length)


def next_train(downsample_factor=4):
    rng = np.random.RandomState(8)
    while True:
        labels = rng.randint(0, len(letters), (minibatch_size, absolute_max_string_len)).astype("float32")
        X_data = rng.rand(minibatch_size, img_w, img_h, 1) * 0.2
        for i, label in enumerate(labels):
            for j, letter in enumerate(label):
                X_data[i, 8 * j : 8 * j + 6, int(letter), 0] += 1
        input_length = np.full((minibatch_size, 1), img_w // downsample_factor - 2)
        label_length = np.full((minibatch_size, 1), absolute_max_string_len)
        inputs = {"the_input": X_data, "the_labels": labels, "input_length": input_length, "label_length": label_length}
        yield inputs, np.zeros([minibatch_size])


def main(begin):
    input_data = Input(name="the_input", shape=(img_w, img_h, 1), dtype="float32")
    inner = Conv2D(conv_filters, kernel_size, padding="same", activation="relu", kernel_initializer="he_normal",
                   name="conv1")(input_data)
    inner = MaxPooling2D(pool_size=(pool_size, pool_size), name="max1")(inner)
    inner = Conv2D(conv_filters, kernel_size, padding="same", activation="relu", kernel_initializer="he_normal",
                   name="conv2")(inner)
    inner = MaxPooling2D(pool_size=(pool_size, pool_size), name="max2")(inner)
    conv_to_rnn_dims = (img_w // (pool_size**2), (img_h // (pool_size**2)) * conv_filters)
    inner = Reshape(target_shape=conv_to_rnn_dims, name="reshape")(inner)
    inner = Dense(time_dense_size, activation="relu", name="dense1")(inner)
    gru_1 = GRU(rnn_size, return_sequences=True, kernel_initializer="he_normal", name="gru1")(inner)
    gru_1b = GRU(rnn_size, return_sequences=True, go_backwards=True, kernel_initializer="he_normal",
                 name="gru1_b")(inner)
    gru1_merged = add([gru_1, gru_1b])
    gru_2 = GRU(rnn_size, return_sequences=True, kernel_initializer="he_normal", name="gru2")(gru1_merged)
    gru_2b = GRU(rnn_size, return_sequences=True, go_backwards=True, kernel_initializer="he_normal",
                 name="gru2_b")(gru1_merged)
    inner = Dense(len(letters) + 1, kernel_initializer="he_normal", name="dense2")(concatenate([gru_2, gru_2b]))
    y_pred = Activation("softmax", name="softmax")(inner)
    predictor = Model(inputs=input_data, outputs=y_pred)

    labels = Input(name="the_labels", shape=[absolute_max_string_len], dtype="float32")
    input_length = Input(name="input_length", shape=[1], dtype="int64")
    label_length = Input(name="label_length", shape=[1], dtype="int64")
    loss_out = Lambda(ctc_lambda_func, output_shape=(1,), name="ctc")([y_pred, labels, input_length, label_length])
    sgd = SGD(lr=0.02, momentum=0.9, nesterov=True, clipnorm=5)
    model = Model(inputs=[input_data, labels, input_length, label_length], outputs=loss_out)
    model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer=sgd)
    begin(model)
    history = model.fit_generator(generator=next_train(), steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    return {"loss": history.history["loss"], "predictions": predictor.predict(next(next_train())[0]["the_input"])}
