# SPDX-License-Identifier: Apache-2.0
"""Reviews as strings through TextVectorization and a masked bidirectional LSTM: after TensorFlow's tutorial "Text
classification with an RNN"."""

import numpy as np
from tensorflow import keras

VOCAB_SIZE = 40
SAMPLES = ["The movie was cool. The animation and the graphics were out of this world!", "A bad, boring film",
           "I would recommend this movie.", "The plot was bad; the graphics were worse.", "Cool!", "waste of time"]


def main(begin):
    text = np.array(SAMPLES * 8)
    labels = np.array([1, 0, 1, 0, 1, 0] * 8)
    encoder = keras.layers.TextVectorization(max_tokens=VOCAB_SIZE)
    encoder.adapt(text)
    vocab = np.array(encoder.get_vocabulary())
    encoded = np.asarray(encoder(text[:3]))
    spelled = [" ".join(vocab[words]) for words in encoded]

    model = keras.Sequential([
        keras.layers.Embedding(input_dim=len(encoder.get_vocabulary()), output_dim=12, mask_zero=True),
        keras.layers.Bidirectional(keras.layers.LSTM(8, return_sequences=True)),
        keras.layers.Bidirectional(keras.layers.LSTM(6)),
        keras.layers.Dense(12, activation="relu"),
        keras.layers.Dropout(0.0),
        keras.layers.Dense(1),
    ])
    x = np.asarray(encoder(text))
    model(x[:1])
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True), optimizer=keras.optimizers.Adam(1e-3),
                  metrics=["accuracy"])
    begin(model)
    history = model.fit(x, labels, batch_size=12, epochs=2, validation_data=(x[:12], labels[:12]), validation_steps=1,
                        shuffle=False, verbose=0)
    alone = model.predict(np.asarray(encoder(["the movie was bad"])), verbose=0)
    test_loss, test_acc = model.evaluate(x, labels, verbose=0)
    return {"history": history.history, "vocabulary": list(map(str, vocab)), "spelled": spelled, "alone": alone,
            "test": [test_loss, test_acc], "predictions": model.predict(x)}
