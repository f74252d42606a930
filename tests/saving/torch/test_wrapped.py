# SPDX-License-Identifier: Apache-2.0
"""Weights in parts, as weight_norm, pruning and WeightDrop keep them: the error names them, and the way out works."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrizations, parametrize, prune

from fastrnn.saving import ModelFileError, from_torch
from tests.saving.torch.zoo import TOLERANCE, inputs, module_of, outputs

NAMES = ("weight_ih_l0", "weight_hh_l0", "weight_hh_l1", "weight_hh_l1_reverse")


def tagger() -> torch.nn.ModuleDict:
    return torch.nn.ModuleDict({"rnn": module_of("LSTM", num_layers=2, bidirectional=True),
                                "out": torch.nn.Linear(10, 3)})


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # PyTorch says that weight_norm has a successor
        return function(*arguments, **options)


def weight_norm(module, name):
    quietly(torch.nn.utils.weight_norm, module, name)


def spectral_norm(module, name):
    quietly(torch.nn.utils.spectral_norm, module, name)


#: What keeps a weight in parts; its parts' names; what the error says to call.
WRAPPERS = {
    "weight_norm": (weight_norm, ["_g", "_v"], "torch.nn.utils.remove_weight_norm"),
    "prune": (lambda module, name: prune.l1_unstructured(module, name, 0.5), ["_orig", "_mask"],
              "torch.nn.utils.prune.remove"),
    "spectral_norm": (spectral_norm, ["_orig", "_u", "_v"], "torch.nn.utils.remove_spectral_norm"),
    "parametrization": (parametrizations.weight_norm, [".original0", ".original1"],
                        "torch.nn.utils.parametrize.remove_parametrizations"),
    "spectral_parametrization": (parametrizations.spectral_norm, [".original"],
                                 "torch.nn.utils.parametrize.remove_parametrizations"),
}
CASES = [*((kind, weight) for kind in WRAPPERS for weight in NAMES), ("prune", "bias_hh_l0")]
FUNCTIONS = {"torch.nn.utils.remove_weight_norm": torch.nn.utils.remove_weight_norm,
             "torch.nn.utils.prune.remove": prune.remove,
             "torch.nn.utils.remove_spectral_norm": torch.nn.utils.remove_spectral_norm,
             "torch.nn.utils.parametrize.remove_parametrizations": parametrize.remove_parametrizations}


@pytest.mark.parametrize("kind, weight", CASES)
def test_a_recurrent_weight(kind, weight, tmp_path):
    """Named, with its parts; and what the error says to do gives the layers."""
    wrap, ends, way_out = WRAPPERS[kind]
    modules = tagger()
    wrap(modules["rnn"], weight)
    torch.save(modules.state_dict(), tmp_path / "m.pt")
    for prefix in (None, "rnn"):
        with pytest.raises(ModelFileError) as error:
            from_torch(tmp_path / "m.pt", prefix)
        text = str(error.value)
        assert "m.pt: module 'rnn': " in text and f"{way_out}(module, '{weight}')" in text
        for end in ends:
            assert f"'{weight}{end}'" in text or f"'parametrizations.{weight}{end}'" in text
        assert f"in the place of '{weight}'" in text
    assert type(from_torch(tmp_path / "m.pt", "out")).__name__ == "Dense"       # of a module without

    quietly(FUNCTIONS[way_out], modules["rnn"], weight)
    torch.save(modules.state_dict(), tmp_path / "m.pt")
    rnn = from_torch(tmp_path / "m.pt", "rnn")
    assert np.abs(rnn(inputs()) - outputs(modules["rnn"], inputs())).max() < TOLERANCE


@pytest.mark.parametrize("kind", WRAPPERS)
def test_many_weights(kind):
    """All of them are named."""
    wrap, _, way_out = WRAPPERS[kind]
    modules = tagger()
    for weight in NAMES[:3]:
        wrap(modules["rnn"], weight)
    with pytest.raises(ModelFileError) as error:
        from_torch(modules.state_dict())
    assert "in the place of 'weight_ih_l0', 'weight_hh_l0', 'weight_hh_l1', as" in str(error.value)
    assert str(error.value).endswith(f"{way_out}(module, 'weight_ih_l0'), and so for each")


@pytest.mark.parametrize("kind", WRAPPERS)
def test_other_modules(kind):
    """A Linear's weight, and a module's that is the state dict's own."""
    wrap, _, way_out = WRAPPERS[kind]
    modules = tagger()
    wrap(modules["out"], "weight")
    for state, title in ((modules.state_dict(), "'out'"), (modules["out"].state_dict(), "''")):
        with pytest.raises(ModelFileError) as error:
            from_torch(state)
        assert f"module {title}: " in str(error.value) and f"{way_out}(module, 'weight')" in str(error.value)


@pytest.mark.parametrize("name", [
    "xparametrizations.w.original", ".parametrizations.w.original", "parametrizations.original",
    "a..parametrizations.w.original", "parametrizations..original", "_g", "weight_g"])
def test_odd_names(name):
    """Names that are nearly such, or of nothing: an error as for any other module."""
    with pytest.raises(ModelFileError):
        from_torch({name: np.ones(3)})


def test_left_out():
    """What is not asked for does not matter."""
    modules = tagger()
    weight_norm(modules["out"], "weight")
    parametrizations.weight_norm(modules["out"], "bias", dim=None)
    assert list(from_torch(modules.state_dict(), ignore=["out*"])) == ["rnn"]


class TestWeightDrop:
    """Of AWD-LSTM, which takes a weight out of its module, and fastai, which wraps the module: the weight before
    dropout has another name."""

    def test_awd_lstm(self, tmp_path):
        module = torch.nn.LSTM(3, 5, batch_first=True)
        expected, state = outputs(module, inputs()), {f"rnns.0.module.{n}": t for n, t in module.state_dict().items()}
        state["rnns.0.module.weight_hh_l0_raw"] = state.pop("rnns.0.module.weight_hh_l0")
        with pytest.raises(ModelFileError) as error:
            from_torch(state)
        text = str(error.value)
        assert "'weight_hh_l0_raw' stand in the place of 'weight_hh_l0', as WeightDrop has it" in text
        way_out = "state['rnns.0.module.weight_hh_l0'] = state.pop('rnns.0.module.weight_hh_l0_raw')"
        assert way_out in text
        exec(way_out)
        assert np.abs(from_torch(state, "rnns.0.module")(inputs()) - expected).max() < TOLERANCE

    @pytest.mark.parametrize("prefix", [None, "0.rnns.0.module", "0.rnns.0"])
    def test_fastai(self, prefix):
        """The module inside has a weight of this name: the last one of training, of which a part is dropped."""
        module = torch.nn.LSTM(3, 5, batch_first=True)
        state = {f"0.rnns.0.module.{n}": t for n, t in module.state_dict().items()}
        state["0.rnns.0.weight_hh_l0_raw"] = state["0.rnns.0.module.weight_hh_l0"]
        state["0.rnns.0.module.weight_hh_l0"] = torch.nn.functional.dropout(state["0.rnns.0.module.weight_hh_l0"])
        with pytest.raises(ModelFileError) as error:
            from_torch(state, prefix)
        way_out = "state['0.rnns.0.module.weight_hh_l0'] = state.pop('0.rnns.0.weight_hh_l0_raw')"
        assert "module '0.rnns.0': 'weight_hh_l0_raw' stand" in str(error.value) and way_out in str(error.value)
        exec(way_out)
        layer = from_torch(state)["0.rnns.0.module"]
        assert np.abs(layer(inputs()) - outputs(module, inputs())).max() < TOLERANCE
