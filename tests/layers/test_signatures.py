# SPDX-License-Identifier: Apache-2.0
"""The arguments of layers: Keras's names, order and defaults, known to whoever reads the signature."""

from __future__ import annotations

import inspect

import keras
import mypy.api
import pytest

from fastrnn import layers, optimizers
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, SimpleRNN, TimeDistributed

RECURRENT = ["SimpleRNN", "LSTM", "GRU"]
NAMES = sorted(name for name in layers.__all__ if name in vars(keras.layers) and name not in ("Layer", "Input"))


def positional(cls: type) -> list[tuple[str, object]]:
    """Names and defaults of the arguments that can be given by position."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_have_keras_signature(name):
    assert positional(getattr(layers, name)) == positional(getattr(keras.layers, name))
    shown = inspect.signature(getattr(layers, name)).parameters
    assert all(p.annotation is not p.empty for p in shown.values())


@pytest.mark.parametrize("name", NAMES)
def test_arguments_by_position_are_keras(name):
    ours, theirs = positional(getattr(layers, name)), positional(getattr(keras.layers, name))
    assert ours[:len(theirs)] == theirs[:len(ours)]


@pytest.mark.parametrize("name", RECURRENT)
def test_every_argument_arrives(name):
    """The hand-over from the signature to the base loses nothing."""
    own = {"LSTM": {"unit_forget_bias": False}, "GRU": {"reset_after": False}}.get(name, {})
    gated = {} if name == "SimpleRNN" else {"recurrent_activation": "hard_sigmoid"}
    given = {
        "units": 3, "activation": "relu", "use_bias": False, "kernel_initializer": "zeros", "dropout": 0.1, "seed": 5,
        "recurrent_initializer": "ones", "bias_initializer": "ones", "kernel_regularizer": "l1",
        "recurrent_regularizer": "l2", "bias_regularizer": "l1", "kernel_constraint": "max_norm",
        "recurrent_constraint": "non_neg", "bias_constraint": "unit_norm", "recurrent_dropout": 0.2,
        "return_sequences": True, "return_state": True, "go_backwards": True, "stateful": True, **own, **gated,
        "zero_output_for_mask": True, "name": "encoder", "trainable": False, "dtype": "float64",
    }  # fmt: skip
    found = getattr(layers, name)(**given).get_config()
    changed = {key: value for key, value in found.items() if value != getattr(layers, name)(1).get_config()[key]}
    assert set(changed) == set(given)
    theirs = getattr(keras.layers, name)(**given).get_config()
    for key in sorted(set(given) & set(theirs) - {"dtype"}):
        wanted = theirs[key]
        if isinstance(wanted, dict):
            assert found[key]["class_name"] == wanted["class_name"]
        else:
            assert found[key] == wanted


MISTYPED = {
    "LSTM": (lambda: LSTM(4, retrun_sequences=True), "LSTM 'lstm.*': .*'retrun_sequences' .did you mean 'return_seq"),
    "GRU": (lambda: GRU(4, reset_afer=True), r"'reset_afer' \(did you mean 'reset_after'"),
    "SimpleRNN": (lambda: SimpleRNN(4, dropuot=0.1), r"'dropuot' \(did you mean 'dropout'"),
    "two": (lambda: LSTM(4, droput=0.1, nmae="x"), r"'droput' \(did you mean 'dropout'.* 'nmae' \(did you mean 'name"),
    "its base's": (lambda: LSTM(4, zero_output_for_masks=True), r"\(did you mean 'zero_output_for_mask'"),
    "Dense": (lambda: Dense(4, activaton="relu"), r"\(did you mean 'activation'"),
    "Embedding": (lambda: Embedding(4, 2, mask_zeros=True), r"\(did you mean 'mask_zero'"),
    "Dropout": (lambda: Dropout(0.5, sed=1), r"\(did you mean 'seed'"),
    "Bidirectional": (lambda: Bidirectional(LSTM(2), merge_mod="sum"), r"\(did you mean 'merge_mode'"),
    "TimeDistributed": (lambda: TimeDistributed(Dense(2), nam="x"), r"\(did you mean 'name'"),
    "older": (lambda: Dense(4, inputshape=(3,)), r"\(did you mean 'input_shape'"),
}


@pytest.mark.parametrize(("make", "message"), MISTYPED.values(), ids=MISTYPED)
def test_mistyped_keywords(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(TypeError, match=r"unknown keyword 'filters'$"):
        LSTM(4, filters=3)


def test_mistyped_keywords_of_optimizers():
    with pytest.raises(TypeError, match=r"unknown keyword 'lerning_rate' \(did you mean 'learning_rate'"):
        optimizers.Adam(lerning_rate=0.1)
    with pytest.raises(TypeError, match=r"unknown keyword 'clip_norm' \(did you mean 'clipnorm'"):
        optimizers.SGD(clip_norm=1.0)


def test_mypy_knows_the_arguments(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from fastrnn.layers import GRU, LSTM, Dense, SimpleRNN\n"
        "LSTM(4, return_sequences=True, stateful=True, name='a', zero_output_for_mask=True, input_shape=(None, 3))\n"
        "LSTM(4, retrun_sequences=True)\n"
        "GRU(4, return_state='yes')\n"
        "SimpleRNN(4, dropout='half')\n"
        "Dense(4, activaton='relu')\n"
    )
    shown, problems, _ = mypy.api.run([str(program), "--no-error-summary"])
    assert problems == ""
    lines = [line.split(":", 1)[1] for line in shown.splitlines() if ": error:" in line]
    assert [line.split(":")[0] for line in lines] == ["3", "4", "5", "6"], shown
    assert 'did you mean "return_sequences"' in lines[0]
    assert '"return_state"' in lines[1] and '"dropout"' in lines[2]
    assert 'did you mean "activation"' in lines[3]
