# SPDX-License-Identifier: Apache-2.0
"""A graph convolution of one's own in front of an LSTM: after keras-io's timeseries_traffic_forecasting.py."""

import keras
import numpy as np
from keras import layers, ops


class GraphConv(layers.Layer):
    def __init__(self, in_feat, out_feat, adjacency, aggregation_type="mean", activation=None, **kwargs):
        super().__init__(**kwargs)
        self.in_feat = in_feat
        self.out_feat = out_feat
        self.adjacency = adjacency
        self.aggregation_type = aggregation_type
        self.weight = self.add_weight(initializer=keras.initializers.GlorotUniform(), shape=(in_feat, out_feat),
                                      dtype="float32", trainable=True)
        self.activation = layers.Activation(activation)

    def aggregate(self, neighbour_representations):
        return ops.einsum("mn,nbtf->mbtf", self.adjacency, neighbour_representations)

    def call(self, features):
        nodes_representation = ops.matmul(features, self.weight)
        aggregated_messages = ops.matmul(self.aggregate(features), self.weight)
        h = ops.concatenate([nodes_representation, aggregated_messages], axis=-1)
        return self.activation(h)


class LSTMGC(layers.Layer):
    def __init__(self, in_feat, out_feat, lstm_units, input_seq_len, output_seq_len, adjacency, **kwargs):
        super().__init__(**kwargs)
        self.graph_conv = GraphConv(in_feat, out_feat, adjacency, activation="relu")
        self.lstm = layers.LSTM(lstm_units, activation="relu")
        self.dense = layers.Dense(output_seq_len)
        self.input_seq_len, self.output_seq_len = input_seq_len, output_seq_len

    def call(self, inputs):
        inputs = ops.transpose(inputs, [2, 0, 1, 3])
        gcn_out = self.graph_conv(inputs)
        shape = ops.shape(gcn_out)
        num_nodes, batch_size, input_seq_len, out_feat = (shape[0], shape[1], shape[2], shape[3])
        gcn_out = ops.reshape(gcn_out, (batch_size * num_nodes, input_seq_len, out_feat))
        lstm_out = self.lstm(gcn_out)
        dense_output = self.dense(lstm_out)
        output = ops.reshape(dense_output, (num_nodes, batch_size, self.output_seq_len))
        return ops.transpose(output, [1, 2, 0])


def main(begin):
    rng = np.random.default_rng(19)
    nodes, input_seq_len, horizon = 4, 6, 3
    adjacency = (rng.random((nodes, nodes)) > 0.4).astype("float32") / 2
    speeds = np.sin(np.arange(60)[:, None] / 5 + np.arange(nodes))
    windows = np.stack([speeds[i : i + input_seq_len + horizon] for i in range(40)]).astype("float32")
    x, y = windows[:, :input_seq_len, :, None], windows[:, input_seq_len:]
    st_gcn = LSTMGC(1, 5, 8, input_seq_len, horizon, adjacency)
    inputs = layers.Input((input_seq_len, nodes, 1))
    outputs = st_gcn(inputs)
    model = keras.models.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.0002), loss=keras.losses.MeanSquaredError())
    begin(model)
    history = model.fit(x, y, validation_data=(x[:8], y[:8]), epochs=2, batch_size=8, shuffle=False, verbose=0,
                        callbacks=[keras.callbacks.EarlyStopping(patience=10)])
    return {"history": history.history, "predictions": model.predict(x)}
