# SPDX-License-Identifier: Apache-2.0
"""Configurations of graphs, by rule and at random: what is hostile is refused before there is a layer."""

from __future__ import annotations

import json
import time

import pytest

from fastrnn.layers.base import Layer
from fastrnn.models import model_from_json
from fastrnn.saving import ModelFileError, entries
from tests.hostile import functional_faults
from tests.hostile.functional_faults import Graph, good_config, old_config

VERSIONS = {"new": 3, "old": 2}


@pytest.fixture(scope="module")
def hostile():
    return functional_faults.hostile()


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """The layers that are made."""
    found: list[str] = []
    first = Layer.__init__

    def init(self, *args, **kwargs):
        found.append(type(self).__name__)
        first(self, *args, **kwargs)

    monkeypatch.setattr(Layer, "__init__", init)
    return found


def test_the_good_ones(made):
    for kind, config in (("new", good_config()), ("old", old_config())):
        made.clear()
        assert entries.read_model(config, "m", VERSIONS[kind]).layers
        assert len(made) > 5


def test_a_thousand_are_refused(hostile, made):
    assert len(hostile) > 1400
    for name, config in hostile.items():
        start = time.process_time()
        with pytest.raises(ModelFileError, match=r"^m: config") as caught:
            entries.read_model(config, "m", VERSIONS[name.split()[0]])
        assert len(str(caught.value)) < 2500 and str(caught.value).isprintable(), name
        assert not made, name
        assert time.process_time() - start < 1, name


def test_as_a_text(hostile):
    """A configuration alone goes the same way."""
    for name, config in list(hostile.items())[::10]:
        if name.startswith("new"):
            with pytest.raises(ModelFileError, match="^JSON: "):
                model_from_json(json.dumps(config))


@pytest.mark.parametrize("name", functional_faults.GRAPH_FAULTS)
def test_faults_of_files(name):
    with pytest.raises(ModelFileError):
        model = entries.read_model(functional_faults.GRAPH_FAULTS[name](Graph(good_config())), "m", 3)
        assert name in BY_WEIGHTS and model.count_params() > 10**8      # which the file has not
        raise ModelFileError("m", "", "the weights are of another model")


#: What shows only where the file's weights are looked at: all shapes are known by then, and take no memory.
BY_WEIGHTS = ("units_bomb", "units_bomb_inside", "embedding_bomb")
