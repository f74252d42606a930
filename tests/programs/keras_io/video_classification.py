# SPDX-License-Identifier: Apache-2.0
"""Features of frames with a mask given as an input: after keras-io's examples/vision/video_classification.py."""

import keras
import numpy as np

MAX_SEQ_LENGTH, NUM_FEATURES = 8, 10


def get_sequence_model(class_vocab):
    frame_features_input = keras.Input((MAX_SEQ_LENGTH, NUM_FEATURES))
    mask_input = keras.Input((MAX_SEQ_LENGTH,), dtype="bool")
    x = keras.layers.GRU(16, return_sequences=True)(frame_features_input, mask=mask_input)
    x = keras.layers.GRU(8)(x)
    x = keras.layers.Dropout(0.0)(x)
    x = keras.layers.Dense(8, activation="relu")(x)
    output = keras.layers.Dense(len(class_vocab), activation="softmax")(x)
    rnn_model = keras.Model([frame_features_input, mask_input], output)
    rnn_model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return rnn_model


def main(begin):
    rng = np.random.default_rng(18)
    label_processor = keras.layers.StringLookup(num_oov_indices=0, vocabulary=["Cricket", "Punch", "Tennis"])
    tags = np.array(["Punch", "Cricket", "Tennis", "Tennis"] * 8)
    labels = np.asarray(label_processor(tags[..., None]))
    frame_features = np.zeros((32, MAX_SEQ_LENGTH, NUM_FEATURES), dtype="float32")
    frame_masks = np.zeros((32, MAX_SEQ_LENGTH), dtype="bool")
    for i in range(32):
        length = rng.integers(3, MAX_SEQ_LENGTH + 1)
        frame_features[i, :length] = rng.normal(size=(length, NUM_FEATURES))
        frame_masks[i, :length] = 1
    seq_model = get_sequence_model(label_processor.get_vocabulary())
    checkpoint = keras.callbacks.ModelCheckpoint("classifier.weights.h5", save_weights_only=True, save_best_only=True,
                                                 verbose=0)
    begin(seq_model)
    history = seq_model.fit([frame_features, frame_masks], labels, validation_split=0.25, epochs=2, batch_size=8,
                            callbacks=[checkpoint], shuffle=False, verbose=0)
    seq_model.load_weights("classifier.weights.h5")
    _, accuracy = seq_model.evaluate([frame_features, frame_masks], labels, verbose=0)
    return {"history": history.history, "labels": labels, "accuracy": accuracy,
            "predictions": seq_model.predict([frame_features, frame_masks])}
