# SPDX-License-Identifier: Apache-2.0
"""Trainings with each optimizer give Keras's histories, and go on in the other library where a file says how far they
have come."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

import fastrnn
from tests.optimizers.cases import NAMES

#: Arguments of a class other than its defaults, and options of any class.
OWN = {
    "SGD": {"momentum": 0.9, "nesterov": True}, "RMSprop": {"momentum": 0.3, "centered": True},
    "Adam": {"amsgrad": True}, "AdamW": {"weight_decay": 0.1}, "Adagrad": {"initial_accumulator_value": 0.01},
    "Adadelta": {"rho": 0.8}, "Adamax": {"beta_1": 0.7}, "Nadam": {"beta_2": 0.9}, "Lion": {"beta_2": 0.8},
    "Ftrl": {"l1_regularization_strength": 0.01, "beta": 0.1}, "Lamb": {"beta_1": 0.8},
    "Adafactor": {"clip_threshold": 0.5}, "ScheduleFreeAdamW": {"warmup_steps": 2},
    "Muon": {"exclude_layers": ["dense"], "nesterov": False},
}
OPTIONS = {
    "plain": {},
    "own": None,
    "together": {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 3,
                 "global_clipnorm": 0.2, "weight_decay": 0.05},
}
RATES = {"Lion": 0.003, "Adadelta": 1.0, "Muon": 0.02}


def made(library, name, option, **more):
    """An optimizer of fastrnn or Keras."""
    given = OWN[name] if OPTIONS[option] is None else OPTIONS[option]
    return getattr(library.optimizers, name)(RATES.get(name, 0.02), **given, **more)


def compiled(library, optimizer):
    layers = library.layers
    model = library.Sequential([
        library.Input((5,)), layers.Embedding(11, 3), layers.LSTM(4), layers.Dense(3, activation="softmax")])
    model.set_weights([np.random.default_rng(i).uniform(-0.6, 0.6, w.shape) for i, w in enumerate(model.get_weights())])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def data():
    """Three batches, in which words stand more than once, and some in none of them."""
    rng = np.random.default_rng(5)
    return rng.integers(0, 9, (36, 5)), rng.integers(0, 3, 36)


def fit(model, epochs):
    return model.fit(*data(), batch_size=12, epochs=epochs, shuffle=False, verbose=0).history


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-4, atol=2e-4, err_msg=name)


def loaded_by_keras(path, optimizer):
    """A model that Keras loads, with its optimizer's state; that of an .h5 file it reads, and gives to an optimizer
    that is built for no variable, so that it could not train on from its own files."""
    if path.suffix == ".keras":
        return keras.saving.load_model(path)
    model = keras.saving.load_model(path, compile=False)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        kept = [np.asarray(array) for array in legacy_h5_format.load_optimizer_weights_from_hdf5_group(file)]
    assert len(kept) == len(optimizer.variables)
    optimizer.set_weights(kept)
    return model


@pytest.mark.parametrize(("option", "suffix"), [("plain", ".h5"), ("own", ".keras"), ("together", ".keras")])
@pytest.mark.parametrize("name", NAMES)
def test_trainings_are_keras_and_go_on_in_the_other(name, option, suffix, tmp_path):
    ours, theirs = (compiled(library, made(library, name, option)) for library in (fastrnn, keras))
    same(fit(ours, 3), fit(theirs, 3))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=5e-3, atol=5e-4)
    ours.save(tmp_path / f"ours{suffix}")
    if (name, suffix) == ("Adafactor", ".h5"):      # Keras gives two of its arrays one name there
        suffix = ".keras"
        ours.save(tmp_path / f"ours{suffix}")
    theirs.save(tmp_path / f"theirs{suffix}")
    from_theirs = fastrnn.saving.load_model(tmp_path / f"theirs{suffix}")
    assert from_theirs.optimizer.batches == 9 == int(theirs.optimizer._iterations)
    from_ours = loaded_by_keras(tmp_path / f"ours{suffix}", made(keras, name, option))
    same(fit(from_theirs, 2), fit(from_ours, 2))


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".safetensors"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_a_training_goes_on_bit_for_bit(name, option, suffix, tmp_path):
    model = compiled(fastrnn, made(fastrnn, name, option))
    fit(model, 3)       # of nine batches, so that one waits with its gradient
    model.save(tmp_path / f"m{suffix}")
    loaded = fastrnn.saving.load_model(tmp_path / f"m{suffix}")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.batches == model.optimizer.batches == 9
    assert fit(loaded, 2) == fit(model, 2)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
