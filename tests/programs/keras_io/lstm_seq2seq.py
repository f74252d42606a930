# SPDX-License-Identifier: Apache-2.0
"""A translator in .keras, taken apart by `model.input` and `model.layers`: after keras-io's
examples/nlp/lstm_seq2seq.py."""

import keras
import numpy as np

latent_dim = 16
num_encoder_tokens, num_decoder_tokens = 8, 9


def main(begin):
    rng = np.random.default_rng(0)
    encoder_input_data = np.eye(num_encoder_tokens, dtype="float32")[rng.integers(0, num_encoder_tokens, (32, 6))]
    decoder_input_data = np.eye(num_decoder_tokens, dtype="float32")[rng.integers(0, num_decoder_tokens, (32, 7))]
    decoder_target_data = np.concatenate([decoder_input_data[:, 1:], decoder_input_data[:, :1] * 0], axis=1)

    encoder_inputs = keras.Input(shape=(None, num_encoder_tokens))
    encoder = keras.layers.LSTM(latent_dim, return_state=True)
    _, state_h, state_c = encoder(encoder_inputs)
    encoder_states = [state_h, state_c]
    decoder_inputs = keras.Input(shape=(None, num_decoder_tokens))
    decoder_lstm = keras.layers.LSTM(latent_dim, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    decoder_dense = keras.layers.Dense(num_decoder_tokens, activation="softmax")
    decoder_outputs = decoder_dense(decoder_outputs)
    model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit([encoder_input_data, decoder_input_data], decoder_target_data, batch_size=8, epochs=2,
                        validation_split=0.25, shuffle=False, verbose=0)
    model.save("s2s_model.keras")

    model = keras.models.load_model("s2s_model.keras")
    encoder_inputs = model.input[0]
    _, state_h_enc, state_c_enc = model.layers[2].output
    encoder_model = keras.Model(encoder_inputs, [state_h_enc, state_c_enc])
    decoder_inputs = model.input[1]
    decoder_states_inputs = [keras.Input(shape=(latent_dim,)), keras.Input(shape=(latent_dim,))]
    decoder_lstm = model.layers[3]
    decoder_outputs, state_h_dec, state_c_dec = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
    decoder_outputs = model.layers[4](decoder_outputs)
    decoder_model = keras.Model([decoder_inputs, *decoder_states_inputs], [decoder_outputs, state_h_dec, state_c_dec])

    states_value = encoder_model.predict(encoder_input_data[:1], verbose=0)
    target_seq = np.zeros((1, 1, num_decoder_tokens))
    target_seq[0, 0, 0] = 1.0
    decoded = []
    for _ in range(6):
        output_tokens, h, c = decoder_model.predict([target_seq, *states_value], verbose=0)
        decoded.append(int(np.argmax(output_tokens[0, -1, :])))
        target_seq = np.zeros((1, 1, num_decoder_tokens))
        target_seq[0, 0, decoded[-1]] = 1.0
        states_value = [h, c]
    return {"history": history.history, "decoded": decoded,
            "predictions": model.predict([encoder_input_data, decoder_input_data])}
