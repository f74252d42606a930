# SPDX-License-Identifier: Apache-2.0
"""generate: the same as calls on the whole sequences, whatever the layers, and as a search through all sequences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastrnn
from fastrnn import Input, layers
from fastrnn.generation import BeamSampler, RandomSampler, Sampler, generate
from fastrnn.layers import (
    GRU,
    LSTM,
    RNN,
    AdditiveAttention,
    Attention,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    GRUCell,
    LayerNormalization,
    LSTMCell,
    MinGRU,
    MultiHeadAttention,
    SimpleRNN,
    TimeDistributed,
)

V = 7


def weighed(model, seed=0):
    """The model with weights large enough that its choices differ."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(np.abs(rng.normal(0.8, 0.5, variable.shape)) if "variance" in variable.name
                        else rng.normal(0, 0.8, variable.shape))
    return model


def language_model(*inside, mask_zero=False, activation="softmax", seed=0):
    model = fastrnn.Sequential([Embedding(V, 5, mask_zero=mask_zero), *inside, Dense(V, activation=activation)])
    model.build((None, None))
    return weighed(model, seed)


def last(y):
    return y[:, -1] if y.ndim == 3 else y


def recomputed(model, prompt, length, inputs=(), place=0, probabilities=lambda y: y):
    """Greedy tokens and their log-probabilities by a call on each whole sequence."""
    rows, scores = [], []
    for row, tokens in enumerate(prompt):
        tokens, score = list(tokens), 0.0
        while len(tokens) < length:
            given = [x[row:row + 1] for x in inputs]
            given.insert(place, np.array([tokens]))
            p = probabilities(last(model.predict(given if len(given) > 1 else given[0], verbose=0))[0].astype(float))
            tokens.append(int(p.argmax()))
            score += np.log(p.max())
        rows.append(tokens)
        scores.append(score)
    return np.array(rows), np.array(scores)


def check(model, prompt, length=14, inputs=(), place=0):
    expected, log_p = recomputed(model, prompt, length, inputs, place)
    found, scores = generate(model, prompt, length, inputs=list(inputs), token_input=place, return_scores=True)
    assert np.array_equal(found, expected)
    assert np.abs(np.exp(scores - log_p) - 1).max() < 1e-5
    assert len({tuple(row) for row in found.tolist()}) > 1 and len(set(found.ravel().tolist())) > 2


class Own(layers.Layer):
    """A cell of a user's own, whose output is not its state."""

    state_size, output_size = 4, 3

    def build(self, *shapes):
        self.w = self.add_weight("w", (shapes[0][-1], 4))
        self.v = self.add_weight("v", (4, 3))

    def get_initial_state(self, batch_size=None):
        return np.full((batch_size, 4), 0.5, "float32")

    def forward(self, x, state, *, call):
        new = np.tanh(x @ self.w.data + 0.7 * state)
        return [new @ self.v.data, new]


STACKS = {
    "lstm": lambda: [LSTM(8, return_sequences=True)],
    "gru": lambda: [GRU(8, return_sequences=True)],
    "gru, reset before": lambda: [GRU(8, return_sequences=True, reset_after=False)],
    "simple": lambda: [SimpleRNN(8, return_sequences=True)],
    "min gru": lambda: [MinGRU(8, return_sequences=True)],
    "stack": lambda: [LSTM(8, return_sequences=True), Dropout(0.5), GRU(6, return_sequences=True),
                      LayerNormalization(), SimpleRNN(5, return_sequences=True)],
    "last": lambda: [LSTM(8)],
    "last of a stack": lambda: [GRU(6, return_sequences=True), LSTM(8), BatchNormalization(), Dense(6, "relu")],
    "batch normalization": lambda: [LSTM(6, return_sequences=True), BatchNormalization()],
    "rnn": lambda: [RNN(LSTMCell(7), return_sequences=True)],
    "stacked cells": lambda: [RNN([GRUCell(5), LSTMCell(6)], return_sequences=True)],
    "own cell": lambda: [RNN(Own(), return_sequences=True)],
    "not on the kernels": lambda: [LSTM(8, activation="softsign", return_sequences=True)],
    "time distributed": lambda: [GRU(8, return_sequences=True), TimeDistributed(Dense(6, "tanh"))],
    "stateful": lambda: [LSTM(8, return_sequences=True, stateful=True)],
    "model inside": lambda: [fastrnn.Sequential([Input((None, 5)), LSTM(6, return_sequences=True), Dense(4, "tanh")]),
                             GRU(6, return_sequences=True)],
    "after the end": lambda: [LSTM(6), layers.RepeatVector(3), GRU(5), Dense(6, "tanh")],
}


@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("name", STACKS)
class TestAsRecomputed:
    def test_greedy(self, name, mask_zero):
        """Also with prompts of different lengths, and with the token 0, which is masked, among them."""
        model = language_model(*STACKS[name](), mask_zero=mask_zero)
        reference = model
        if name == "stateful":
            reference = language_model(LSTM(8, return_sequences=True), mask_zero=mask_zero)
            reference.set_weights(model.get_weights())
        prompt = [[1, 2, 0, 3], [4], [6, 0], [0, 5, 5, 0, 1, 2]]
        expected, log_p = recomputed(reference, prompt, 14)
        found, scores = generate(model, prompt, 14, return_scores=True)
        # What rows with a longer prompt were forced to is not in the score of either.
        assert np.array_equal(found, expected)
        assert np.abs(np.exp(scores - log_p) - 1).max() < 1e-5


class TestGraphs:
    def test_skip_connections_and_shared_layers(self):
        tokens = Input((None,), dtype="int32")
        x = Embedding(V, 6)(tokens)
        shared = LSTM(6, return_sequences=True)
        one = shared(x)
        two = shared(one)
        y = Concatenate()([x, one * 0.5 + two, layers.Add()([x, two])])
        check(weighed(fastrnn.Model(tokens, Dense(V, "softmax")(y))), [[1, 2], [3, 4]])

    def test_last_step_by_brackets(self):
        tokens = Input((None,), dtype="int32")
        x = GRU(6, return_sequences=True)(Embedding(V, 6)(tokens))
        check(weighed(fastrnn.Model(tokens, Dense(V, "softmax")(x[:, -1]))), [[1, 2], [3, 4]])

    def test_one_hot(self):
        model = fastrnn.Sequential([Input((None, V)), LSTM(8), Dense(V, activation="softmax")])
        weighed(model)
        eye = np.eye(V, dtype="float32")
        found = generate(model, [[1, 2], [3, 4]], 12)
        rows = [[1, 2], [3, 4]]
        for row in rows:
            while len(row) < 12:
                row.append(int(model.predict(eye[row][None], verbose=0)[0].argmax()))
        assert np.array_equal(found, rows)

    def test_logits(self):
        probabilities, logits = (language_model(LSTM(8), activation=name) for name in ("softmax", None))
        one, two = (generate(model, [[1], [2]], 9, return_scores=True) for model in (probabilities, logits))
        assert np.array_equal(one[0], two[0])
        assert np.allclose(one[1], two[1], atol=1e-5)

    @pytest.mark.parametrize(("attention", "seed"), [
        (None, 1), (Attention, 2), (AdditiveAttention, 3), (MultiHeadAttention, 1)])
    def test_encoder_and_decoder_in_one_model(self, attention, seed):
        """What the encoder makes is computed once, with its mask; the decoder begins with its states."""
        source, tokens = Input((None,), dtype="int32"), Input((None,), dtype="int32")
        encoded, *states = LSTM(6, return_sequences=True, return_state=True)(Embedding(9, 4, mask_zero=True)(source))
        x = LSTM(6, return_sequences=True)(Embedding(V, 4)(tokens), initial_state=states)
        if attention is MultiHeadAttention:
            x = Concatenate()([x, MultiHeadAttention(2, 3)(x, encoded)])
        elif attention is not None:
            x = Concatenate()([x, attention()([x, encoded])])
        model = weighed(fastrnn.Model([source, tokens], Dense(V, "softmax")(x)), seed)
        sources = np.array([[1, 2, 3, 0], [4, 5, 6, 7], [8, 1, 0, 0]])
        check(model, [[1], [1], [1]], 14, [sources], place=1)
        one = generate(model, [1], 14, inputs=sources, token_input=1)
        assert np.array_equal(one, generate(model, [[1]] * 3, 14, inputs=sources, token_input=1))
        beams = generate(model, [1], 8, BeamSampler(3), inputs=sources, token_input=1)
        for row in range(3):
            alone = generate(model, [1], 8, BeamSampler(3), inputs=sources[row:row + 1], token_input=1)
            assert np.array_equal(beams[row], alone[0])

    def test_picture_and_words(self):
        """A caption's model: features of a picture are merged with the words so far."""
        picture, tokens = Input((5,)), Input((None,), dtype="int32")
        words = LSTM(6)(Embedding(V, 4, mask_zero=True)(tokens))
        y = Dense(V, "softmax")(layers.Add()([Dense(6, "relu")(picture), words]))
        pictures = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
        check(weighed(fastrnn.Model([picture, tokens], y), 1), [[1, 2], [1], [3]], 14, [pictures], place=1)

    def test_decoder_by_itself(self):
        """Its outputs after the first, the states of Keras's decoders, are not looked at."""
        tokens, h, c = Input((None,), dtype="int32"), Input((6,)), Input((6,))
        x, *states = LSTM(6, return_sequences=True, return_state=True)(Embedding(V, 4)(tokens), initial_state=[h, c])
        y = Dense(V, "softmax")(x)
        model, alone = fastrnn.Model([tokens, h, c], [y, *states]), fastrnn.Model([tokens, h, c], y)
        weighed(model)
        given = list(np.random.default_rng(0).normal(size=(2, 3, 6)).astype("float32"))
        expected, _ = recomputed(alone, [[1], [2], [3]], 10, given)
        assert np.array_equal(generate(model, [[1], [2], [3]], 10, inputs=given), expected)


class TestBeams:
    @pytest.mark.parametrize("stop", [None, 2])
    @pytest.mark.parametrize("inside", [lambda: [LSTM(6, return_sequences=True)], lambda: [GRU(6)]])
    def test_find_the_best_of_all_sequences(self, inside, stop):
        """With as many beams as there are sequences nothing is lost: the best ones, in order, with their scores."""
        words, steps = 3, 4
        model = fastrnn.Sequential([Embedding(words, 4), *inside(), Dense(words, activation="softmax")])
        model.build((None, None))
        weighed(model, 2)
        for prompt in ([0, 1], [2]):
            scores = {}
            for more in itertools.product(range(words), repeat=steps):
                score = 0.0
                for end in range(steps):
                    p = last(model.predict(np.array([prompt + list(more[:end])]), verbose=0))[0, more[end]]
                    score += np.log(float(p))
                    if more[end] == stop:
                        more = more[:end + 1] + (stop,) * (steps - end - 1)
                        break
                scores[tuple(prompt) + more] = score
            best = sorted(scores, key=scores.get, reverse=True)
            count = len(best)
            found, log_p = generate(model, prompt, len(prompt) + steps, BeamSampler(count, return_all_beams=True), stop,
                                    return_scores=True)
            assert found.shape == (count, len(prompt) + steps)
            assert np.allclose(log_p, sorted(scores.values(), reverse=True), atol=1e-5)
            assert [tuple(row) for row in found.tolist()] == best
            top, score = generate(model, prompt, len(prompt) + steps, BeamSampler(count), stop, return_scores=True)
            assert np.array_equal(top, found[0]) and score == log_p[0]

    @pytest.mark.parametrize("name", ["lstm", "stacked cells", "last of a stack"])
    def test_scores_are_those_of_the_sequences(self, name):
        """The states go with their sequences: each beam's score is that of its tokens, computed anew."""
        model = language_model(*STACKS[name](), mask_zero=True)
        prompt = [[1, 2], [3], [4, 5, 6]]
        found, scores = generate(model, prompt, 9, BeamSampler(4, return_all_beams=True), return_scores=True)
        assert found.shape == (3, 4, 9) and (np.diff(scores, axis=1) <= 0).all()
        for row, own in enumerate(prompt):
            assert (found[row, :, :len(own)] == own).all()
            assert len({tuple(beam) for beam in found[row].tolist()}) == 4
            for beam, score in zip(found[row], scores[row], strict=True):
                p = [last(model.predict(beam[None, :end], verbose=0))[0, beam[end]] for end in range(len(own), 9)]
                assert np.log(np.array(p, float)).sum() == pytest.approx(score, abs=1e-5)

    def test_rows_do_not_depend_on_each_other(self):
        model = language_model(LSTM(8, return_sequences=True))
        prompt = [[1, 2, 3], [4], [5, 6]]
        together = generate(model, prompt, 10, "beam")
        for row, own in zip(together, prompt, strict=True):
            assert np.array_equal(row, generate(model, own, 10, "beam"))

    def test_one_beam_is_greedy(self):
        model = language_model(GRU(8, return_sequences=True))
        assert np.array_equal(generate(model, [[1], [2]], 12, BeamSampler(1)), generate(model, [[1], [2]], 12))


class TestSequences:
    def test_drawn_as_often_as_the_model_says(self):
        model = language_model(LSTM(6, return_sequences=True))
        p = model.predict(np.array([[3]]), verbose=0)[0, -1].astype(float)
        found = generate(model, [[3]] * 20_000, 2, RandomSampler(seed=0))
        share = np.bincount(found[:, 1], minlength=V) / len(found)
        assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / len(found)) + 1e-12).all()

    def test_stop(self):
        model = language_model(LSTM(8, return_sequences=True))
        prompt = [[1, 2], [3], [5, 5, 5]]
        free = generate(model, prompt, 15)
        stop = int(free[0, 5])
        found, scores = generate(model, prompt, 15, stop=stop, return_scores=True)
        for row, whole, own, score in zip(found, free, prompt, scores, strict=True):
            ends = [t for t in range(len(own), 15) if whole[t] == stop]
            end = ends[0] if ends else 14
            assert np.array_equal(row[:end + 1], whole[:len(row)][:end + 1])
            assert (row[end + 1:] == stop).all()
            p = [model.predict(row[None, :t], verbose=0)[0, -1, row[t]] for t in range(len(own), end + 1)]
            assert np.log(np.array(p, float)).sum() == pytest.approx(score, abs=1e-5)
        assert generate(model, [1, 2], 15, stop=[stop]).tolist() == found[0, :list(free[0]).index(stop, 2) + 1].tolist()
        assert len(generate(model, [stop, stop, 1, 2], 9, stop=[])) == 9

    def test_a_stop_in_the_prompt_does_not_end_it(self):
        model = language_model(LSTM(8, return_sequences=True))
        free = generate(model, [[1], [4, 4, 4]], 8)
        assert np.array_equal(generate(model, [[1], [4, 4, 4]], 8, stop=4)[1, :4], free[1, :4])

    def test_mask_says_where_a_prompt_ends(self):
        model = language_model(LSTM(8, return_sequences=True))
        padded, mask = np.array([[1, 2, 3], [4, 0, 0]]), np.array([[1, 1, 1], [1, 0, 0]])
        assert np.array_equal(generate(model, padded, 9, mask=mask), generate(model, [[1, 2, 3], [4]], 9))

    def test_more_beams_than_sequences(self):
        model = language_model(LSTM(8, return_sequences=True))
        found, scores = generate(model, [[1, 2], [3]], 3, BeamSampler(60, return_all_beams=True), return_scores=True)
        assert np.isfinite(scores).sum(axis=1).tolist() == [V, V * V]
        assert (found[0, :, :2] == [1, 2]).all()
        assert len({tuple(row) for row in found[1, :V * V].tolist()}) == V * V

    def test_a_model_of_a_fixed_length(self):
        model = fastrnn.Sequential([Input((4,)), Embedding(V, 5), LSTM(8), Dense(V, activation="softmax")])
        weighed(model)
        free = fastrnn.Sequential([Embedding(V, 5), LSTM(8), Dense(V, activation="softmax")])
        free.build((None, None))
        free.set_weights(model.get_weights())
        assert np.array_equal(generate(model, [[1], [2]], 9), generate(free, [[1], [2]], 9))

    def test_shapes(self):
        model = language_model(LSTM(8, return_sequences=True))
        assert generate(model, [1, 2], 5).shape == (5,)
        assert generate(model, np.array([[1, 2]]), 5).shape == (1, 5)
        assert generate(model, [np.array([1, 2]), np.array([1])], 5).dtype == np.int64
        assert generate(model, [1, 2], 2).tolist() == [1, 2]
        assert generate(model, [1, 2], 5, BeamSampler(3, return_all_beams=True)).shape == (3, 5)
        tokens, score = generate(model, [1, 2], 5, return_scores=True)
        assert tokens.shape == (5,) and np.shape(score) == ()

    def test_own_sampler(self):
        class Second(Sampler):
            def pick(self, log_probabilities):
                return np.argsort(log_probabilities, axis=-1)[:, -2]

        model = language_model(GRU(8))
        found = generate(model, [1, 2], 4, Second())
        assert found[2] == model.predict(np.array([[1, 2]]), verbose=0)[0].argsort()[-2]

    def test_in_float64(self):
        model = fastrnn.Sequential([Embedding(V, 4, dtype="float64"), LSTM(6, dtype="float64"),
                                    Dense(V, activation="softmax", dtype="float64")])
        model.build((None, None))
        check(weighed(model), [[1], [2]])


class TestLeavesTheModelAsItIs:
    def test_layers_states_and_training(self):
        model = fastrnn.Sequential([Input((None,), batch_size=2, dtype="int32"), Embedding(V, 5),
                                    LSTM(6, return_sequences=True, stateful=True),
                                    RNN([GRUCell(4), GRUCell(5)], return_sequences=True, stateful=True),
                                    Dense(V, activation="softmax")])
        weighed(model)
        x = np.array([[1, 2], [3, 4]])
        model.predict(x, verbose=0)
        kept = [state.copy() for layer in model.layers[1:3] for state in layer.states]
        weights, config = model.get_weights(), model.get_config()
        generate(model, [[1, 2, 3]], 9)                        # of another batch than the model was built for
        generate(model, [[1], [2], [3]], 9, "beam")
        for one, two in zip(kept, [s for layer in model.layers[1:3] for s in layer.states], strict=True):
            assert np.array_equal(one, two)
        assert all(map(np.array_equal, weights, model.get_weights()))
        assert model.get_config() == config
        assert [layer.return_state for layer in model.layers[1:3]] == [False, False]

    def test_new_weights_are_seen(self):
        model = language_model(LSTM(8))
        before = generate(model, [[1], [2]], 12)
        weighed(model, 4)
        check(model, [[1], [2]])
        assert (before != generate(model, [[1], [2]], 12)).any()

    def test_after_training(self):
        """What a model has learned it says: to count."""
        fastrnn.utils.set_random_seed(0)
        x = (np.arange(64)[:, None] + np.arange(9)) % V
        model = fastrnn.Sequential([Embedding(V, 8), GRU(16, return_sequences=True), Dense(V, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.optimizer.learning_rate = 0.02
        model.fit(x[:, :-1], x[:, 1:], epochs=60, verbose=0)
        assert generate(model, [[2, 3], [5, 6]], 9).tolist() == [[(2 + i) % V for i in range(9)],
                                                                 [(5 + i) % V for i in range(9)]]


def with_layer(layer, **kwargs):
    return language_model(LSTM(6, return_sequences=True), layer, LSTM(6), **kwargs)


class TestRefuses:
    @pytest.mark.parametrize(("make", "why"), [
        (lambda: with_layer(layers.Bidirectional(LSTM(3, return_sequences=True), name="odd")), "from its end"),
        (lambda: with_layer(LSTM(3, return_sequences=True, go_backwards=True, name="odd")), "from its end"),
        (lambda: with_layer(layers.Conv1D(4, 3, padding="causal", name="odd")), "each step alone"),
        (lambda: with_layer(layers.MaxPooling1D(1, name="odd")), "each step alone"),
        (lambda: with_layer(layers.Lambda(lambda x: x, name="odd")), "each step alone"),
        (lambda: with_layer(layers.Softmax(axis=1, name="odd")), "each step alone"),
    ])
    def test_layers_that_cannot_be_stepped(self, make, why):
        model = make()
        with pytest.raises(ValueError, match=rf"generate cannot step \w+ 'odd': .*{why}"):
            generate(model, [1, 2], 5)

    @pytest.mark.parametrize("make", [
        lambda x: Attention(name="odd")([x, x]),
        lambda x: MultiHeadAttention(2, 3, name="odd")(x, x, use_causal_mask=True),
        lambda x: Concatenate(axis=1, name="odd")([x, x]),
        lambda x: layers.Dot(axes=2, name="odd")([x, x]),
        lambda x: GRU(4, name="odd", return_sequences=True)(x, initial_state=LSTM(4)(x)),
        lambda x: layers.Add(name="odd")([x, LSTM(4)(x)]),
    ])
    def test_graphs_that_cannot_be_stepped(self, make):
        tokens = Input((None,), dtype="int32")
        y = make(Embedding(V, 4)(tokens))
        with pytest.raises(ValueError, match=r"generate cannot step \w+ 'odd'"):
            generate(fastrnn.Model(tokens, y), [1, 2], 5)

    @pytest.mark.parametrize("make", [
        lambda x: Dense(V, name="odd")(x), lambda x: layers.Activation("softmax", name="odd")(x),
        lambda x: LayerNormalization(name="odd")(x), lambda x: Concatenate(name="odd")([x, x]),
    ])
    def test_layers_whose_features_are_the_steps(self, make):
        steps = Input((3,))
        with pytest.raises(ValueError, match=r"generate cannot step \w+ 'odd'"):
            generate(fastrnn.Model(steps, make(steps)), [1, 2, 3], 5)

    def test_what_differs_from_step_to_step(self):
        """Positions, as an input or as a constant."""
        tokens, places = Input((None,), dtype="int32"), Input((3, 4))
        x = Embedding(V, 4)(tokens)
        with pytest.raises(ValueError, match="generate cannot step Add 'odd'"):
            generate(fastrnn.Model([tokens, places], layers.Add(name="odd")([x, places])), [1, 2, 3], 5,
                     inputs=np.ones((1, 3, 4)))
        three = Input((3,), dtype="int32")
        y = LayerNormalization(axis=[1, 2], name="odd")(Embedding(V, 4)(three))
        with pytest.raises(ValueError, match="generate cannot step LayerNormalization 'odd'"):
            generate(fastrnn.Model(three, y), [1, 2, 3], 5)
        with pytest.raises(ValueError, match="generate cannot step Add '"):
            generate(fastrnn.Model(tokens, x + np.ones((3, 4))), [1, 2, 3], 5)

    @pytest.mark.parametrize(("arguments", "said"), [
        ({"prompt": []}, "prompt: expected tokens"), ({"prompt": [[1], []]}, "prompt: expected tokens"),
        ({"prompt": [1.5]}, "prompt: expected whole numbers, got float64"), ({"prompt": 3}, "prompt: expected tokens"),
        ({"prompt": [[[1]]]}, "prompt: expected tokens"), ({"prompt": "ab"}, "prompt"),
        ({"prompt": [1, V]}, f"expected indices from 0 to {V - 1}"), ({"prompt": [-1]}, "expected indices from 0"),
        ({"max_length": 1}, "max_length: expected a whole number of 2 or more"),
        ({"max_length": 2.5}, "max_length: expected a whole number of 2 or more"),
        ({"stop": V}, f"stop: expected tokens from 0 to {V - 1}, got {V}"), ({"stop": -1}, "stop: expected tokens"),
        ({"stop": "x"}, "stop: expected tokens"), ({"sampler": "best"}, "unknown sampler 'best'"),
        ({"inputs": np.ones((1, 2))}, "has 1 inputs, one of them for the tokens; expected 0 arrays"),
        ({"token_input": 1}, "token_input: expected the index of one of the model's 1 inputs"),
        ({"mask": [[0, 1]]}, r"mask: expected bool \(1, 2\)"), ({"mask": [1, 1]}, r"mask: expected bool \(1, 2\)"),
        ({"prompt": [[1, 2]], "mask": [[0, 1]]}, "put the padding behind"),
    ])
    def test_arguments(self, arguments, said):
        model = language_model(LSTM(6, return_sequences=True))
        with pytest.raises(ValueError, match=said):
            generate(model, **{"prompt": [1, 2], "max_length": 5, **arguments})

    def test_models(self):
        with pytest.raises(TypeError, match=r"generate model: .* Model\(inputs, outputs\), got function"):
            generate(lambda x: x, [1], 5)
        with pytest.raises(ValueError, match="from_logits: the output of .* comes from neither"):
            generate(language_model(LSTM(4), activation="sigmoid"), [1], 5)
        assert generate(language_model(LSTM(4), activation="sigmoid"), [1], 5, from_logits=False).shape == (5,)
        with pytest.raises(ValueError, match="is not built"):
            generate(fastrnn.Sequential([Embedding(V, 3), Dense(V)]), [1], 5)

    def test_an_output_that_is_none(self):
        model = language_model(LSTM(4), activation=None)
        model.layers[-1].bias.assign(np.full(V, np.nan))
        with pytest.raises(ValueError, match="rows without a finite log-probability"):
            generate(model, [1], 5)

    def test_tokens_that_the_embedding_lacks(self):
        """The vocabulary of the output is larger: what is written is checked as what is given."""
        model = fastrnn.Sequential([Embedding(3, 4), LSTM(4), Dense(5, activation="softmax")])
        model.build((None, None))
        model.layers[-1].bias.assign(np.array([0, 0, 0, 0, 99.0]))
        with pytest.raises(ValueError, match="expected indices from 0 to 2"):
            generate(model, [1], 5)
