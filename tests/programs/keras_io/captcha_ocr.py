# SPDX-License-Identifier: Apache-2.0
"""Letters in a picture, with CTC added as a loss by a layer: after keras-io's examples/vision/captcha_ocr.py."""

import keras
import numpy as np
from keras import layers, ops

img_width, img_height, max_length, characters = 24, 8, 3, 5
batch_size = 8


class CTCLayer(layers.Layer):
    def __init__(self, name=None):
        super().__init__(name=name)
        self.loss_fn = keras.ops.ctc_loss

    def call(self, y_true, y_pred):
        batch_len = ops.shape(y_true)[0]
        input_length = ops.shape(y_pred)[1]
        label_length = ops.shape(y_true)[1]
        input_length = input_length * ops.ones(shape=(batch_len,), dtype="int32")
        label_length = label_length * ops.ones(shape=(batch_len,), dtype="int32")
        loss = self.loss_fn(ops.cast(y_true, "int32"), ops.log(y_pred + 1e-7), label_length, input_length)
        self.add_loss(ops.mean(loss))
        return y_pred


def build_model():
    input_img = layers.Input(shape=(img_width, img_height, 1), name="image", dtype="float32")
    labels = layers.Input(name="label", shape=(None,), dtype="float32")
    x = layers.Conv2D(4, (3, 3), activation="relu", kernel_initializer="he_normal", padding="same",
                      name="Conv1")(input_img)
    x = layers.MaxPooling2D((2, 2), name="pool1")(x)
    x = layers.Conv2D(6, (3, 3), activation="relu", kernel_initializer="he_normal", padding="same", name="Conv2")(x)
    x = layers.MaxPooling2D((2, 2), name="pool2")(x)
    new_shape = ((img_width // 4), (img_height // 4) * 6)
    x = layers.Reshape(target_shape=new_shape, name="reshape")(x)
    x = layers.Dense(8, activation="relu", name="dense1")(x)
    x = layers.Dropout(0.0)(x)
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True, dropout=0.0))(x)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True, dropout=0.0))(x)
    x = layers.Dense(characters + 2, activation="softmax", name="dense2")(x)
    output = CTCLayer(name="ctc_loss")(labels, x)
    model = keras.models.Model(inputs=[input_img, labels], outputs=output, name="ocr_model_v1")
    model.compile(optimizer=keras.optimizers.Adam())
    return model


def main(begin):
    rng = np.random.default_rng(3)
    label = rng.integers(1, characters + 1, (32, max_length)).astype("float32")
    image = rng.random((32, img_width, img_height, 1)).astype("float32")
    model = build_model()
    begin(model)
    history = model.fit(x={"image": image, "label": label}, batch_size=batch_size, epochs=2, shuffle=False, verbose=0)
    prediction_model = keras.models.Model(model.input[0], model.get_layer(name="dense2").output)
    return {"loss": history.history["loss"], "predictions": prediction_model.predict(image)}
