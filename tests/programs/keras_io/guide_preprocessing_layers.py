# SPDX-License-Identifier: Apache-2.0
"""Numbers normalized, words and numbers looked up, categories encoded, beside a sequence: after the guide "Working
with preprocessing layers" and keras-io's structured_data examples."""

import keras
import numpy as np
from keras import layers


def main(begin):
    rng = np.random.default_rng(44)
    age = rng.uniform(20, 80, (48, 1)).astype("float32")
    thal = np.array(["fixed", "normal", "reversible", "normal"] * 12)
    vessels = rng.integers(0, 4, 48)
    pressure = rng.normal(130, 10, (48, 7, 2)).astype("float32")
    target = (pressure[:, -1, 0] > 130).astype("float32")

    normalizer = layers.Normalization(axis=-1)
    normalizer.adapt(pressure)
    age_normalizer = layers.Normalization()
    age_normalizer.adapt(age)
    lookup = layers.StringLookup(output_mode="one_hot")
    lookup.adapt(thal)
    numbers = layers.IntegerLookup(vocabulary=[0, 1, 2, 3], output_mode="int")
    encoding = layers.CategoryEncoding(num_tokens=5, output_mode="one_hot")
    buckets = layers.Discretization(bin_boundaries=[30.0, 50.0, 70.0])
    encoded = [np.asarray(layer) for layer in (lookup(thal), numbers(vessels), encoding(numbers(vessels)),
                                               buckets(age))]
    scaled = np.asarray(keras.ops.convert_to_numpy(layers.Rescaling(1.0 / 127.5, offset=-1)(pressure)))

    inputs = {"pressure": keras.Input((7, 2), name="pressure"), "age": keras.Input((1,), name="age"),
              "thal": keras.Input((encoded[0].shape[1],), name="thal"), "vessels": keras.Input((5,), name="vessels")}
    x = layers.LSTM(8)(normalizer(inputs["pressure"]))
    x = layers.concatenate([x, age_normalizer(inputs["age"]), inputs["thal"], inputs["vessels"]])
    x = layers.Dense(8, activation="relu")(x)
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.0)(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    begin(model)
    data = {"pressure": pressure, "age": age, "thal": encoded[0], "vessels": encoded[2]}
    history = model.fit(data, target, batch_size=12, epochs=2, shuffle=False, verbose=0)
    return {"encoded": encoded, "scaled": scaled, "vocabulary": list(map(str, lookup.get_vocabulary())),
            "history": history.history, "predictions": model.predict(data)}
