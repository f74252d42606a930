# SPDX-License-Identifier: Apache-2.0
"""A translator saved whole in .h5, loaded, and taken apart for decoding: after Keras 2's lstm_seq2seq_restore.py."""

import numpy as np
from keras.layers import LSTM, Dense, Input
from keras.models import Model, load_model

num_encoder_tokens, num_decoder_tokens, latent_dim = 6, 7, 12


def train(begin, source, target):
    encoder_inputs = Input(shape=(None, num_encoder_tokens), name="source")
    _, state_h, state_c = LSTM(latent_dim, return_state=True, name="encoder")(encoder_inputs)
    decoder_inputs = Input(shape=(None, num_decoder_tokens), name="target")
    decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True, name="decoder")
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=[state_h, state_c])
    decoder_outputs = Dense(num_decoder_tokens, activation="softmax", name="letters")(decoder_outputs)
    model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
    begin(model)
    history = model.fit([source, target], np.roll(target, -1, axis=1), batch_size=8, epochs=2, shuffle=False, verbose=0)
    model.save("s2s.h5")
    return history.history["loss"]


def main(begin):
    rng = np.random.RandomState(2)
    source = np.eye(num_encoder_tokens)[rng.randint(0, num_encoder_tokens, (24, 5))]
    target = np.eye(num_decoder_tokens)[rng.randint(0, num_decoder_tokens, (24, 6))]
    loss = train(begin, source, target)

    model = load_model("s2s.h5")
    encoder_inputs = model.input[0]
    _, state_h_enc, state_c_enc = model.get_layer("encoder").output
    encoder_states = [state_h_enc, state_c_enc]
    encoder_model = Model(encoder_inputs, encoder_states)

    decoder_inputs = model.input[1]
    decoder_state_input_h = Input(shape=(latent_dim,), name="input_3")
    decoder_state_input_c = Input(shape=(latent_dim,), name="input_4")
    decoder_states_inputs = [decoder_state_input_h, decoder_state_input_c]
    decoder_lstm = model.layers[3]
    decoder_outputs, state_h_dec, state_c_dec = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
    decoder_dense = model.layers[4]
    decoder_outputs = decoder_dense(decoder_outputs)
    decoder_model = Model([decoder_inputs, *decoder_states_inputs], [decoder_outputs, state_h_dec, state_c_dec])

    states = encoder_model.predict(source[:1])
    letter = np.zeros((1, 1, num_decoder_tokens))
    written = []
    for _ in range(5):
        probabilities, *states = decoder_model.predict([letter, *states], verbose=0)
        written.append(int(np.argmax(probabilities[0, -1])))
        letter = np.eye(num_decoder_tokens)[[written[-1:]]]
    return {"loss": loss, "written": written, "predictions": model.predict([source, target])}
