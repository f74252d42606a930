# SPDX-License-Identifier: Apache-2.0
"""Text from LSTMs whose layers are joined and weighed by attention, with a second output for the context: after
minimaxir/textgenrnn's model.py and AttentionWeightedAverage.py."""

import numpy as np
from keras import backend as K
from keras import initializers
from keras.layers import LSTM, Bidirectional, Dense, Embedding, Input, Layer, Reshape, SpatialDropout1D, concatenate
from keras.models import Model
from keras.optimizers import RMSprop
from keras.preprocessing import sequence

TEXT = "it's a short text, but it's one to be learnt by heart. a text is a text is a text."
config = {"rnn_layers": 2, "rnn_size": 8, "rnn_bidirectional": False, "max_length": 8, "dim_embeddings": 6}


class AttentionWeightedAverage(Layer):
    def __init__(self, return_attention=False, **kwargs):
        self.init = initializers.get("uniform")
        self.supports_masking = True
        self.return_attention = return_attention
        super().__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[2], 1), name=f"{self.name}_W", initializer=self.init)
        super().build(input_shape)

    def call(self, x, mask=None):
        logits = K.dot(x, self.W)
        x_shape = K.shape(x)
        logits = K.reshape(logits, (x_shape[0], x_shape[1]))
        ai = K.exp(logits - K.max(logits, axis=-1, keepdims=True))
        if mask is not None:
            mask = K.cast(mask, K.floatx())
            ai = ai * mask
        att_weights = ai / (K.sum(ai, axis=1, keepdims=True) + K.epsilon())
        weighted_input = x * K.expand_dims(att_weights)
        result = K.sum(weighted_input, axis=1)
        if self.return_attention:
            return [result, att_weights]
        return result

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[2])

    def compute_mask(self, input, input_mask=None):
        return None


def new_rnn(cfg, layer_num):
    if cfg["rnn_bidirectional"]:
        return Bidirectional(LSTM(cfg["rnn_size"], return_sequences=True), name=f"rnn_{layer_num}")
    return LSTM(cfg["rnn_size"], return_sequences=True, recurrent_activation="sigmoid", name=f"rnn_{layer_num}")


def textgenrnn_model(num_classes, cfg, context_size, optimizer=None):
    input = Input(shape=(cfg["max_length"],), name="input")
    embedded = Embedding(num_classes, cfg["dim_embeddings"], name="embedding")(input)
    embedded = SpatialDropout1D(0.0, name="dropout")(embedded)
    rnn_layer_list = []
    for i in range(cfg["rnn_layers"]):
        prev_layer = embedded if i == 0 else rnn_layer_list[-1]
        rnn_layer_list.append(new_rnn(cfg, i + 1)(prev_layer))
    seq_concat = concatenate([embedded, *rnn_layer_list], name="rnn_concat")
    attention = AttentionWeightedAverage(name="attention")(seq_concat)
    output = Dense(num_classes, name="output", activation="softmax")(attention)
    context_input = Input(shape=(context_size,), name="context_input")
    context_embed = Reshape((context_size,), name="context_reshape")(context_input)
    merged = concatenate([attention, context_embed], name="concat")
    main_output = Dense(num_classes, name="context_output", activation="softmax")(merged)
    model = Model(inputs=[input, context_input], outputs=[main_output, output])
    model.compile(loss=["categorical_crossentropy", "categorical_crossentropy"], optimizer=optimizer,
                  loss_weights=[0.8, 0.2])
    return model


def main(begin):
    char_indices = {c: i + 1 for i, c in enumerate(sorted(set(TEXT)))}
    encoded = [char_indices[c] for c in TEXT]
    x = sequence.pad_sequences([encoded[max(0, i - 8) : i] for i in range(1, len(encoded))],
                               maxlen=config["max_length"])
    y = np.eye(len(char_indices) + 1)[encoded[1:]]
    context = np.eye(3)[np.arange(len(x)) % 3]
    model = textgenrnn_model(len(char_indices) + 1, config, 3, RMSprop(learning_rate=4e-3, rho=0.99))
    begin(model)
    history = model.fit([x, context], [y, y], batch_size=20, epochs=2, shuffle=False, verbose=0)
    model.save_weights("textgenrnn.weights.h5")
    single = Model(inputs=model.get_layer("input").output, outputs=model.get_layer("output").output)
    return {"loss": history.history["loss"], "predictions": [*model.predict([x, context]), single.predict(x)]}
