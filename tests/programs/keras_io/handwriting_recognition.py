# SPDX-License-Identifier: Apache-2.0
"""Lines of handwriting with a CTC layer, and an error by edit distance in a callback: after keras-io's
examples/vision/handwriting_recognition.py."""

import keras
import numpy as np
from keras import ops
from keras.layers import StringLookup

max_len, padding_token, image_width, image_height = 4, 99, 32, 8


class CTCLayer(keras.layers.Layer):
    def call(self, y_true, y_pred):
        lengths = ops.sum(ops.cast(ops.not_equal(y_true, padding_token), "int32"), axis=1)
        frames = ops.full((ops.shape(y_pred)[0],), y_pred.shape[1], dtype="int32")
        target = ops.where(ops.equal(y_true, padding_token), 0, y_true)
        loss = ops.ctc_loss(ops.cast(target, "int32"), ops.log(y_pred + 1e-7), lengths, frames)
        self.add_loss(ops.mean(loss))
        return y_pred


class EditDistanceCallback(keras.callbacks.Callback):
    def __init__(self, pred_model, images, labels):
        super().__init__()
        self.prediction_model, self.images, self.labels, self.distances = pred_model, images, labels, []

    def on_epoch_end(self, epoch, logs=None):
        best = self.prediction_model.predict(self.images, verbose=0).argmax(-1)
        for path, label in zip(best, self.labels):
            written = [int(c) for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c)]
            self.distances.append(abs(len(written) - int((label != padding_token).sum())))


def build_model(vocabulary):
    input_img = keras.Input(shape=(image_width, image_height, 1), name="image")
    labels = keras.layers.Input(name="label", shape=(None,))
    x = keras.layers.Conv2D(4, (3, 3), activation="relu", kernel_initializer="he_normal", padding="same",
                            name="Conv1")(input_img)
    x = keras.layers.MaxPooling2D((2, 2), name="pool1")(x)
    x = keras.layers.Reshape(target_shape=(image_width // 2, image_height // 2 * 4), name="reshape")(x)
    x = keras.layers.Dense(8, activation="relu", name="dense1")(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(8, return_sequences=True, dropout=0.0))(x)
    x = keras.layers.Dense(vocabulary + 2, activation="softmax", name="dense2")(x)
    output = CTCLayer(name="ctc_loss")(labels, x)
    model = keras.models.Model(inputs=[input_img, labels], outputs=output, name="handwriting_recognizer")
    model.compile(optimizer=keras.optimizers.Adam())
    return model


def main(begin):
    rng = np.random.default_rng(17)
    words = ["abca", "cab", "bc", "ccba"] * 6
    characters = sorted(set("".join(words)))
    char_to_num = StringLookup(vocabulary=characters, mask_token=None)
    num_to_chars = StringLookup(vocabulary=char_to_num.get_vocabulary(), mask_token=None, invert=True)
    label = np.full((len(words), max_len), padding_token, "int64")
    for row, word in zip(label, words):
        row[: len(word)] = np.asarray(char_to_num(list(word)))
    image = rng.random((len(words), image_width, image_height, 1)).astype("float32")
    model = build_model(len(characters))
    begin(model)
    prediction_model = keras.models.Model(model.get_layer(name="image").output, model.get_layer(name="dense2").output)
    edit_distance_callback = EditDistanceCallback(prediction_model, image[:4], label[:4])
    history = model.fit({"image": image, "label": label}, epochs=2, batch_size=8, callbacks=[edit_distance_callback],
                        shuffle=False, verbose=0)
    spelled = [str(char) for char in np.asarray(num_to_chars(label[1, :3])).astype("U")]
    return {"loss": history.history["loss"], "label": label, "spelled": spelled,
            "distances": edit_distance_callback.distances, "predictions": prediction_model.predict(image)}
