# SPDX-License-Identifier: Apache-2.0
"""Emoji for sentences: two bidirectional LSTMs, skip connections, and attention: after bfelbo/DeepMoji's
model_def.py."""

import numpy as np
from keras import backend as K
from keras.layers import (
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Input,
    Layer,
    SpatialDropout1D,
    concatenate,
)
from keras.models import Model
from keras.regularizers import L1L2

nb_classes, nb_tokens, maxlen, embed_dropout_rate, embed_l2 = 6, 40, 10, 0.0, 1e-6


class AttentionWeightedAverage(Layer):
    def __init__(self, return_attention=False, **kwargs):
        self.supports_masking = True
        self.return_attention = return_attention
        super().__init__(**kwargs)

    def build(self, input_shape):
        assert len(input_shape) == 3
        self.W = self.add_weight(shape=(input_shape[2], 1), name=f"{self.name}_W", initializer="uniform")
        self.built = True

    def call(self, x, mask=None):
        logits = K.squeeze(K.dot(x, self.W), axis=-1)
        ai = K.exp(logits - K.max(logits, axis=-1, keepdims=True))
        if mask is not None:
            ai = ai * K.cast(mask, K.floatx())
        att_weights = ai / (K.sum(ai, axis=1, keepdims=True) + K.epsilon())
        result = K.sum(x * K.expand_dims(att_weights), axis=1)
        return [result, att_weights] if self.return_attention else result

    def compute_mask(self, input, input_mask=None):
        return [None, None] if self.return_attention else None


def deepmoji_architecture(return_attention=False):
    model_input = Input(shape=(maxlen,), dtype="int32")
    embed_reg = L1L2(l2=embed_l2) if embed_l2 != 0 else None
    embed = Embedding(input_dim=nb_tokens, output_dim=8, mask_zero=True, embeddings_regularizer=embed_reg,
                      name="embedding")
    x = embed(model_input)
    x = Activation("tanh")(x)
    if embed_dropout_rate != 0:
        x = SpatialDropout1D(embed_dropout_rate, name="embed_drop")(x)
    lstm_0_output = Bidirectional(LSTM(8, return_sequences=True), name="bi_lstm_0")(x)
    lstm_1_output = Bidirectional(LSTM(8, return_sequences=True), name="bi_lstm_1")(lstm_0_output)
    x = concatenate([lstm_1_output, lstm_0_output, x])
    weights = None
    x = AttentionWeightedAverage(name="attlayer", return_attention=return_attention)(x)
    if return_attention:
        x, weights = x
    x = Dropout(0.0)(x)
    outputs = [Dense(nb_classes, activation="softmax", name="softmax")(x)]
    if return_attention:
        outputs.append(weights)
    return Model(inputs=[model_input], outputs=outputs, name="DeepMoji")


def main(begin):
    rng = np.random.RandomState(27)
    tokens = rng.randint(1, nb_tokens, (40, maxlen))
    tokens[:, 6:] *= rng.randint(0, 2, (40, 1))
    emoji = tokens[:, 0] % nb_classes
    model = deepmoji_architecture()
    begin(model)
    losses = []
    for unfrozen in ["softmax", "attlayer", "bi_lstm_1", None]:
        for layer in model.layers:
            layer.trainable = unfrozen is None or layer.name == unfrozen
        model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd", metrics=["accuracy"])
        losses.append(model.fit(tokens, emoji, batch_size=10, epochs=1, shuffle=False, verbose=0).history)
    looking = deepmoji_architecture(return_attention=True)
    looking.set_weights(model.get_weights())
    return {"losses": losses, "predictions": model.predict(tokens), "attention": looking.predict(tokens)[1]}
