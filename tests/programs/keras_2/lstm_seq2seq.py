# SPDX-License-Identifier: Apache-2.0
"""Short sentences translated character by character: after Keras 2's examples/lstm_seq2seq.py."""

import numpy as np
from keras.layers import LSTM, Dense, Input
from keras.models import Model

PAIRS = [("Go.", "Va !"), ("Run!", "Cours !"), ("Wow!", "Ça alors !"), ("Help!", "À l'aide !"), ("Jump.", "Saute."),
         ("Stop!", "Stop !"), ("Wait.", "Attends."), ("I see.", "Je vois."), ("I ran.", "J'ai couru."),
         ("Hi.", "Salut.")]
latent_dim = 20


def main(begin):
    input_texts = [source for source, _ in PAIRS]
    target_texts = ["\t" + target + "\n" for _, target in PAIRS]
    input_characters = sorted(set("".join(input_texts)))
    target_characters = sorted(set("".join(target_texts)))
    num_encoder_tokens, num_decoder_tokens = len(input_characters), len(target_characters)
    max_encoder, max_decoder = max(map(len, input_texts)), max(map(len, target_texts))
    input_token_index = {char: i for i, char in enumerate(input_characters)}
    target_token_index = {char: i for i, char in enumerate(target_characters)}
    encoder_input_data = np.zeros((len(PAIRS), max_encoder, num_encoder_tokens), dtype="float32")
    decoder_input_data = np.zeros((len(PAIRS), max_decoder, num_decoder_tokens), dtype="float32")
    decoder_target_data = np.zeros((len(PAIRS), max_decoder, num_decoder_tokens), dtype="float32")
    for i, (input_text, target_text) in enumerate(zip(input_texts, target_texts)):
        for t, char in enumerate(input_text):
            encoder_input_data[i, t, input_token_index[char]] = 1.0
        for t, char in enumerate(target_text):
            decoder_input_data[i, t, target_token_index[char]] = 1.0
            if t > 0:
                decoder_target_data[i, t - 1, target_token_index[char]] = 1.0

    encoder_inputs = Input(shape=(None, num_encoder_tokens))
    encoder = LSTM(latent_dim, return_state=True)
    _, state_h, state_c = encoder(encoder_inputs)
    encoder_states = [state_h, state_c]
    decoder_inputs = Input(shape=(None, num_decoder_tokens))
    decoder_lstm = LSTM(latent_dim, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    decoder_dense = Dense(num_decoder_tokens, activation="softmax")
    decoder_outputs = decoder_dense(decoder_outputs)

    model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    begin(model)
    history = model.fit([encoder_input_data, decoder_input_data], decoder_target_data, batch_size=4, epochs=4,
                        validation_split=0.2, shuffle=False, verbose=0)

    encoder_model = Model(encoder_inputs, encoder_states)
    decoder_state_input_h = Input(shape=(latent_dim,))
    decoder_state_input_c = Input(shape=(latent_dim,))
    decoder_states_inputs = [decoder_state_input_h, decoder_state_input_c]
    decoder_outputs, state_h, state_c = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
    decoder_states = [state_h, state_c]
    decoder_outputs = decoder_dense(decoder_outputs)
    decoder_model = Model([decoder_inputs, *decoder_states_inputs], [decoder_outputs, *decoder_states])
    reverse_target_char_index = {i: char for char, i in target_token_index.items()}

    def decode_sequence(input_seq):
        states_value = encoder_model.predict(input_seq, verbose=0)
        target_seq = np.zeros((1, 1, num_decoder_tokens))
        target_seq[0, 0, target_token_index["\t"]] = 1.0
        decoded_sentence = ""
        while len(decoded_sentence) < 6:
            output_tokens, h, c = decoder_model.predict([target_seq, *states_value], verbose=0)
            sampled_token_index = np.argmax(output_tokens[0, -1, :])
            decoded_sentence += reverse_target_char_index[sampled_token_index]
            target_seq = np.zeros((1, 1, num_decoder_tokens))
            target_seq[0, 0, sampled_token_index] = 1.0
            states_value = [h, c]
        return decoded_sentence

    decoded = [decode_sequence(encoder_input_data[i : i + 1]) for i in range(2)]
    return {"history": history.history, "decoded": decoded,
            "predictions": model.predict([encoder_input_data, decoder_input_data])}
