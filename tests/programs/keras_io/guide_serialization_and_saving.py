# SPDX-License-Identifier: Apache-2.0
"""Own layers in files, in configurations and in clones; weights moved between models: after the guides "Save,
serialize, and export models" and "The Sequential model"."""

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="MyLayers")
class CustomLayer(keras.layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="my_package", name="custom_fn")
def custom_fn(x):
    return x**2


def main(begin):
    rng = np.random.default_rng(22)
    x, y = rng.normal(size=(32, 6, 4)).astype("float32"), rng.normal(size=(32, 1)).astype("float32")
    inputs = keras.Input(shape=(6, 4))
    h = CustomLayer(2.0)(keras.layers.GRU(6, return_sequences=True, name="gru")(inputs))
    h = keras.layers.LSTM(5, name="lstm")(h)
    outputs = keras.layers.Dense(1, activation=custom_fn, name="top")(h)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer="adam", loss="mean_squared_error")
    begin(model)
    history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)

    model.save("my_model.keras")
    reconstructed_model = keras.models.load_model("my_model.keras")
    model.save_weights("my.weights.h5")
    with keras.saving.custom_object_scope({"CustomLayer": CustomLayer}):
        new_model = keras.Model.from_config(model.get_config())
    new_model.load_weights("my.weights.h5")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    json_model = keras.models.model_from_json(model.to_json())
    json_model.set_weights(model.get_weights())
    extracted = keras.Model(model.inputs, model.layers[-2].output)
    again = reconstructed_model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0).history["loss"]
    models = {"new": new_model, "clone": clone, "json": json_model, "extracted": extracted,
              "again": reconstructed_model}
    config = keras.layers.serialize(keras.layers.Dense(3, name="dense"))
    return {"loss": history.history["loss"], "continued": again, "class": config["class_name"],
            "names": [layer.name for layer in model.layers[1:] if "custom" not in layer.name],
            **{name: m.predict(x) for name, m in models.items()}}
