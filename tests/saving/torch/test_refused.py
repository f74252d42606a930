# SPDX-License-Identifier: Apache-2.0
"""State dicts that no layers are made of, and layers that PyTorch does not have."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

import fastrnn
from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, LayerNormalization, MinGRU, SimpleRNN
from fastrnn.saving import ModelFileError, from_torch, to_torch
from tests.saving import zoo
from tests.saving.torch.zoo import H, module_of


def lstm(**changes) -> dict:
    """An LSTM's state dict with weights changed, or, for None, left out."""
    state = module_of("LSTM", num_layers=2, bidirectional=True).state_dict()
    return {f"rnn.{name}": value for name, value in {**state, **changes}.items() if value is not None}


class TestRefused:
    @pytest.mark.parametrize("state, problem", [
        (lstm(bias_hh_l1=None), "module 'rnn': weight 'bias_hh_l1' is missing"),
        (lstm(weight_ih_l1_reverse=None), "'weight_ih_l1_reverse' is missing"),
        (lstm(weight_ih_l0=None), "expected matrices weight_ih_l0 and weight_hh_l0"),
        (lstm(weight_ih_l3=torch.ones(4 * H, 2 * H)), "is missing"),
        (lstm(weight_ih_l9999=torch.ones(4 * H, 2 * H)), "is missing"),
        (lstm(weight=torch.ones(2, 2)), "module 'rnn': weight 'weight' belongs to nothing"),
        (lstm(weight_ih_l1=torch.ones(4 * H, H)), r"'weight_ih_l1': expected shape \(20, 10\), got \(20, 5\)"),
        (lstm(weight_hh_l0=torch.ones(2 * H, H)), r"'weight_hh_l0': expected shape \(20, 5\), got \(10, 5\)"),
        (lstm(weight_hh_l0=torch.ones(4 * H, 3)), r"expected weight_hh_l0 of \(4 H, H\)"),
        (lstm(weight_hh_l0=torch.ones(4 * H)), "expected matrices"),
        (lstm(bias_ih_l0=torch.ones(4 * H, dtype=torch.int32)), "expected float32, got int32"),
        (lstm(weight_hr_l0=torch.ones(2, 5)), r"'weight_hh_l0': expected|missing"),
        (lstm(weight_hr_l0=torch.ones(H, H)), "weight 'weight_hr_l0_reverse' is missing"),
        (lstm(weight_hr_l1=torch.ones(H, H)), "weight 'weight_hr_l1' belongs to nothing"),
        ({**torch.nn.LSTMCell(2, 2).state_dict(), "bias_hh": torch.ones(7)}, r"'bias_hh': expected shape \(8,\), got"),
        ({"weight_ih": torch.ones(8, 2), "weight_hh": torch.ones(8, 2), "bias_ih": torch.ones(8)}, "'bias_hh' is miss"),
        ({"weight_ih": torch.ones(8, 2), "weight_hh": torch.ones(8, 2), "weight_hr_l0": torch.ones(1)}, "_l0' belongs"),
        ({"weight_ih": torch.ones(8), "weight_hh": torch.ones(8, 2)}, "expected matrices weight_ih and weight_hh; the"),
        ({"weight_ih": torch.ones(7, 2), "weight_hh": torch.ones(7, 2)}, r"expected weight_hh of \(4 H, H\) for an"),
        (torch.nn.Conv1d(2, 2, 2).state_dict(), "no module that fastrnn has"),
        (torch.nn.BatchNorm1d(2).state_dict(), "no module that fastrnn has"),
        (torch.nn.MultiheadAttention(2, 1).state_dict(), "no module that fastrnn has"),
        (torch.nn.Bilinear(2, 2, 2).state_dict(), "no module that fastrnn has"),
        (torch.nn.PReLU().state_dict(), "no module that fastrnn has"),
        ({"out.weight": torch.ones(2, 3), "out.bias": torch.ones(3)}, r"'bias': expected shape \(2,\), got \(3,\)"),
        ({"out.weight": torch.ones(2, 3), "out.bias": torch.ones(2), "out.scale": torch.ones(1)}, "'scale' belongs to"),
        ({"e.weight": torch.ones(0, 3)}, "axis of length 0"),
        ({"e.weight": np.array([["a"]])}, "expected float32, got str"),
        ({"e.weight": np.ones((2, 2), complex)}, "expected float32, got complex128"),
        ({7: torch.ones(2, 2)}, "expected a name"),
        ({"../e.weight": torch.ones(2, 2)}, "looks like a path"),
    ])
    def test_state_dicts(self, state, problem):
        with pytest.raises(ModelFileError, match=problem):
            from_torch(state)

    def test_other_values(self, words, tmp_path):
        """Checkpoints with a state dict inside are in `test_checkpoints.py`."""
        for value in (words, [1, 2], torch.ones(2), {"a": torch.ones(2, requires_grad=True), "b": "text"},
                      torch.device("cpu")):
            torch.save(value, tmp_path / "m.pt")
            with pytest.raises(ModelFileError, match=r"m.pt: .*torch.save\(model.state_dict\(\), path\)"):
                from_torch(tmp_path / "m.pt")

    @pytest.mark.parametrize("tensor", [
        torch.eye(3).to_sparse(), torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8),
        torch.ones(2, 2, device="meta"), torch.ones(2, 2).to(torch.float8_e4m3fn)],
        ids=["sparse", "quantized", "meta", "float8"])  # fmt: skip
    def test_other_tensors(self, tensor, tmp_path):
        """What NumPy has no array for, in a state dict and in a file."""
        with pytest.raises(ModelFileError, match="state dict: e.weight: expected a plain tensor .*, got torch.*strided"
                                                 "|got torch.float32, torch.sparse_coo"):
            from_torch({"e.weight": tensor})
        torch.save({"e.weight": tensor}, tmp_path / "m.pt")
        with pytest.raises(ModelFileError, match="'e.weight' to be a tensor, got a value of 'torch._utils._rebuild_"):
            from_torch(tmp_path / "m.pt")

    @pytest.mark.parametrize("source, way_out", [
        (torch.nn.LSTM(2, 2), r"got LSTM; give its state_dict\(\)"), (b"m.pt", "got bytes; decode it"),
        (io.BytesIO(b"PK"), "got BytesIO; name the file"), (None, "got NoneType")])
    def test_other_sources(self, source, way_out):
        with pytest.raises(TypeError, match=way_out):
            from_torch(source)

    def test_no_weights(self):
        with pytest.raises(ModelFileError, match="expected a state dict with weights, got one without"):
            from_torch({})

    def test_long_names(self):
        """What the caller gives does not make an error long, either."""
        for options in ({"prefix": "p\n" * 9999}, {"linear": "p\n" * 9999}, {"nonlinearity": {"p\n" * 9999: "relu"}},
                        {"nonlinearity": "p\n" * 9999}, {"key": "p\n" * 9999}):
            with pytest.raises(ValueError) as error:
                from_torch(lstm(), **options)
            assert len(str(error.value)) < 500 and str(error.value).isprintable()

    def test_other_files(self, tmp_path):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
        with pytest.raises(ModelFileError, match="script.pt: TorchScript files hold programs"):
            from_torch(tmp_path / "script.pt")
        zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "own.safetensors")
        with pytest.raises(ModelFileError, match="own.safetensors: .*load it by load_model"):
            from_torch(tmp_path / "own.safetensors")
        zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "m.keras")
        with pytest.raises(ModelFileError, match="m.keras: expected one member data.pkl, got 0; is it a PyTorch file"):
            from_torch(tmp_path / "m.keras")
        zoo.make(fastrnn, "LSTM-forward-1").save_weights(tmp_path / "m.h5")
        with pytest.raises(ModelFileError, match="m.h5: expected what torch.save writes: a zip archive"):
            from_torch(tmp_path / "m.h5")
        with pytest.raises(FileNotFoundError):
            from_torch(tmp_path / "none.pt")

    @pytest.mark.parametrize("layer, problem", [
        (lambda: LSTM(2, recurrent_activation="hard_sigmoid"), "recurrent_activation: expected 'sigmoid'"),
        (lambda: LSTM(2, activation="relu"), "activation: expected 'tanh'"),
        (lambda: SimpleRNN(2, activation="sigmoid"), "activation: expected 'tanh' or 'relu'"),
        (lambda: GRU(2, reset_after=False), "reset_after: expected True"),
        (lambda: LSTM(2, use_peepholes=True), "use_peepholes: expected False"),
        (lambda: GRU(2, go_backwards=True), "go_backwards: expected False"),
        (lambda: Bidirectional(GRU(2), merge_mode="sum"), "merge_mode: expected 'concat'"),
        (lambda: Bidirectional(GRU(2, go_backwards=True)), "go_backwards: expected False"),
        (lambda: LayerNormalization(scale=False), "got scale=False"),
        (lambda: LayerNormalization(axis=1), "axis=1"),
        (lambda: LayerNormalization(axis=[1]), r"axis=\[1\]"),
        (lambda: MinGRU(2), "MinGRU 'min_gru.*': PyTorch's modules are made of"),
        (lambda: Bidirectional(MinGRU(2)), "PyTorch's modules are made of"),
        (lambda: Dropout(0.5), "PyTorch's modules are made of"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), LSTM(3)]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), GRU(2)]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), LSTM(2, use_bias=False)]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2, return_sequences=True), Bidirectional(LSTM(2))]), "all of one kind"),
        (lambda: fastrnn.Sequential([LSTM(2), Dense(2)]), "give to_torch a dictionary"),
    ])
    def test_layers_that_pytorch_does_not_have(self, layer, problem):
        made = layer()
        with pytest.raises(ValueError, match="build the layer before to_torch"):
            to_torch(made)
        made.build((None, 3, 2))
        with pytest.raises(ValueError, match=problem):
            to_torch({"a": made})

    def test_no_layers(self):
        with pytest.raises(ValueError, match="expected layers, got 7"):
            to_torch({"a": 7})
