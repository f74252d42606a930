# SPDX-License-Identifier: Apache-2.0
"""`fastrnn inspect` and `fastrnn convert`."""

from __future__ import annotations

import numpy as np
import pytest

import fastrnn
from fastrnn.__main__ import main
from fastrnn.layers import Layer
from fastrnn.saving import conversion, load_model
from tests.saving import zoo


class TestInspect:
    @pytest.mark.parametrize("suffix", ["", ".keras"])
    def test_a_model(self, suffix, tmp_path, capsys, monkeypatch):
        model = zoo.make(fastrnn, "words")
        model.compile("adam", "sparse_categorical_crossentropy")
        model.save(tmp_path / f"m{suffix}")
        monkeypatch.setattr(Layer, "add_weight", None)     # nothing is built
        main(["inspect", str(tmp_path / f"m{suffix}")])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith(": Sequential 'zoo', input (None, 6), compiled")
        assert lines[1].endswith("': (None, 6, 4), 44 parameters")
        assert "    embedding/embeddings  (11, 4)  float32" in lines
        assert "  GRU 'middle': (None, 6, 4), 108 parameters" in lines
        count = model.count_params()
        assert lines[-1] == f"{count:,} parameters in {len(model.weights)} arrays, {4 * count:,} bytes"

    @pytest.mark.parametrize("suffix", ["", ".weights.h5", ".h5"])
    def test_weights_alone(self, suffix, tmp_path, capsys):
        model = zoo.make(fastrnn, "GRU-both-1")
        model.save_weights(tmp_path / f"m{suffix}")
        main(["inspect", str(tmp_path / f"m{suffix}")])
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].endswith(": weights alone")
        assert len(lines) == 2 + len(model.weights)
        assert lines[-1].startswith(f"{model.count_params():,} parameters")

    @pytest.mark.parametrize("content", [b"", b"PK", b"\x89HDF\r\n\x1a\n", bytes(100)])
    @pytest.mark.parametrize("suffix", [".safetensors", ".keras", ".weights.h5", ".h5", ".pkl"])
    def test_a_broken_file(self, suffix, content, tmp_path):
        (tmp_path / f"m{suffix}").write_bytes(content)
        with pytest.raises(SystemExit, match=rf"fastrnn: .*m{suffix}: "):
            main(["inspect", str(tmp_path / f"m{suffix}")])

    def test_no_file(self, tmp_path):
        with pytest.raises(SystemExit, match="there is no such file"):
            main(["inspect", str(tmp_path / "m.keras")])


class TestConvert:
    @pytest.mark.parametrize("target", ["n.safetensors", "n.keras", "n.weights.h5", "n.h5", "n"])
    @pytest.mark.parametrize("source", ["m.safetensors", "m.keras"])
    def test_both_ways(self, source, target, tmp_path, capsys):
        model = zoo.make(fastrnn, "words")
        model.save(tmp_path / source)
        main(["convert", str(tmp_path / source), str(tmp_path / target)])
        assert "a random batch (8, 6) through both, 40 outputs" in (out := capsys.readouterr().out)
        assert "largest difference 0\n" in out
        other = zoo.make(fastrnn, "words")
        other.load_weights(tmp_path / target)
        zoo.same_bits(other.get_weights(), model.get_weights())

    def test_a_difference_is_told(self, tmp_path, monkeypatch, capsys):
        """A loader that gets one weight wrong does not pass."""
        zoo.make(fastrnn, "LSTM-forward-1").save(tmp_path / "m")

        def load(path):
            model = load_model(path)
            if str(path).endswith(".keras"):
                model.layers[0].bias.assign(model.layers[0].bias.value + np.float32(1e-3))
            return model

        monkeypatch.setattr(conversion, "load_model", load)
        with pytest.raises(SystemExit, match="the two models give different results"):
            main(["convert", str(tmp_path / "m"), str(tmp_path / "n.keras")])
        assert "largest difference" in capsys.readouterr().out
