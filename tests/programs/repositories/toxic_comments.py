# SPDX-License-Identifier: Apache-2.0
"""Six labels a comment, from average and maximum over a bidirectional GRU, scored by AUC in a callback: after Kaggle's
"Pooled GRU"."""

import numpy as np
from keras.callbacks import Callback
from keras.layers import (
    GRU,
    Bidirectional,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    SpatialDropout1D,
    concatenate,
)
from keras.models import Model
from keras.preprocessing import sequence
from keras.preprocessing.text import Tokenizer
from sklearn.metrics import roc_auc_score

COMMENTS = ["You are great!", "What a stupid, stupid edit", "Thanks for the edit", "I hate you",
            "this page is great, thanks",
            "stupid page"] * 7
max_features, maxlen, embed_size = 20, 6, 8


class RocAucEvaluation(Callback):
    def __init__(self, validation_data=(), interval=1):
        super().__init__()
        self.interval = interval
        self.X_val, self.y_val = validation_data
        self.scores = []

    def on_epoch_end(self, epoch, logs=None):
        if epoch % self.interval == 0:
            y_pred = self.model.predict(self.X_val, verbose=0)
            self.scores.append(roc_auc_score(self.y_val, y_pred))


def get_model(embedding_matrix):
    inp = Input(shape=(maxlen,))
    x = Embedding(max_features, embed_size, weights=[embedding_matrix])(inp)
    x = SpatialDropout1D(0.0)(x)
    x = Bidirectional(GRU(8, return_sequences=True))(x)
    avg_pool = GlobalAveragePooling1D()(x)
    max_pool = GlobalMaxPooling1D()(x)
    conc = concatenate([avg_pool, max_pool])
    outp = Dense(3, activation="sigmoid")(conc)
    model = Model(inputs=inp, outputs=outp)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def main(begin):
    rng = np.random.RandomState(39)
    y = np.array([[c.count("stupid") > 0, "hate" in c,
                   "edit" in c.lower() or "page" in c] for c in COMMENTS]).astype(int)
    tokenizer = Tokenizer(num_words=max_features)
    tokenizer.fit_on_texts(COMMENTS)
    X = sequence.pad_sequences(tokenizer.texts_to_sequences(COMMENTS), maxlen=maxlen)
    model = get_model(rng.normal(0, 0.3, (max_features, embed_size)))
    begin(model)
    RocAuc = RocAucEvaluation(validation_data=(X[:12], y[:12]), interval=1)
    history = model.fit(X, y, batch_size=14, epochs=2, validation_data=(X[:12], y[:12]), callbacks=[RocAuc],
                        shuffle=False,
                        verbose=0)
    return {"history": history.history, "auc": RocAuc.scores, "predictions": model.predict(X, batch_size=1024)}
