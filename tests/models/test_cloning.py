# SPDX-License-Identifier: Apache-2.0
"""Models from configurations: texts, copies, and the user's own classes."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fastrnn
from fastrnn.models import clone_model, load_model, model_from_json
from fastrnn.saving import ModelFileError, state
from tests.saving import graph_zoo, zoo


class Scale(fastrnn.layers.Layer):
    """A layer of the user's own."""

    def build(self, *input_shapes):
        self.scale = self.add_weight("scale", (input_shapes[0][-1],), "ones")
        self.built = True

    def forward(self, x, *more, call):
        return x * self.scale.data

    def backward(self, dy, *more, call=None):
        return dy * self.scale.data


class Both(fastrnn.layers.Layer):
    """A layer of the user's own with layers inside."""

    def __init__(self, units, **arguments):
        super().__init__(**arguments)
        self.units, self.one, self.two = units, fastrnn.layers.Dense(units), Scale()

    def sublayers(self):
        return self.one, self.two

    def build(self, *input_shapes):
        self.one.build(*input_shapes)
        self.two.build((None, self.units))
        self.built = True

    def compute_output_shape(self, *input_shapes):
        return (*input_shapes[0][:-1], self.units)

    def forward(self, x, *more, call):
        return self.two.forward(self.one.forward(x, call=call.inner("one")), call=call.inner("two"))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


CUSTOM = {"Scale": Scale, "Both": Both}


def own_model() -> fastrnn.Model:
    x = fastrnn.Input((5, 3))
    model = fastrnn.Model(x, fastrnn.layers.TimeDistributed(Scale())(Both(4)(Scale(name="first")(x))))
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("name", graph_zoo.GRAPHS)
class TestGraphs:
    def test_clone(self, name):
        model = graph_zoo.make(fastrnn, name)
        other = clone_model(model)
        assert type(other) is type(model)
        assert json.loads(other.to_json()) == json.loads(model.to_json())
        assert not {id(layer) for layer in model.walk()} & {id(layer) for layer in other.walk()}
        other.set_weights(model.get_weights())
        xs = graph_zoo.inputs(model)
        zoo.same_bits(graph_zoo.outputs(other, xs), graph_zoo.outputs(model, xs))

    def test_text(self, name):
        model = graph_zoo.make(fastrnn, name)
        other = model_from_json(model.to_json(indent=1))
        assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
        assert [w.shape for w in other.get_weights()] == [w.shape for w in model.get_weights()]
        other.set_weights(model.get_weights())
        xs = graph_zoo.inputs(model)
        zoo.same_bits(graph_zoo.outputs(other, xs), graph_zoo.outputs(model, xs))


class TestOwnClasses:
    @pytest.mark.parametrize("suffix", [".keras", ".safetensors", ".h5"])
    def test_files(self, suffix, tmp_path):
        model = own_model()
        model.save(tmp_path / f"m{suffix}")
        with pytest.raises(ModelFileError, match="pass a class of your own by custom_objects"):
            load_model(tmp_path / f"m{suffix}")
        loaded = load_model(tmp_path / f"m{suffix}", custom_objects=CUSTOM)
        zoo.same_bits(loaded.get_weights(), model.get_weights())
        x = np.ones((2, 5, 3), "float32")
        zoo.same_bits([loaded.predict_on_batch(x)], [model.predict_on_batch(x)])

    def test_texts_and_copies(self):
        model = own_model()
        for other in (model_from_json(model.to_json(), CUSTOM), clone_model(model),
                      fastrnn.Model.from_config(model.get_config(), CUSTOM)):
            assert [type(layer) for layer in other.walk()] == [type(layer) for layer in model.walk()]
        with pytest.raises(ModelFileError, match="custom_objects"):
            model_from_json(model.to_json())

    def test_a_model_of_ones_own(self, tmp_path):
        class Mine(fastrnn.Model):
            pass

        x = fastrnn.Input((3,))
        model = Mine(x, fastrnn.layers.Dense(2)(x))
        model.save(tmp_path / "m.keras")
        assert type(load_model(tmp_path / "m.keras", custom_objects={"Mine": Mine})) is Mine
        assert type(clone_model(model)) is Mine

    def test_how_a_file_says_that_it_was_compiled(self):
        class Loss(fastrnn.losses.MeanSquaredError):
            pass

        class Metric(fastrnn.metrics.MeanSquaredError):
            pass

        class Optimizer(fastrnn.optimizers.SGD):
            pass

        own = {cls.__name__: cls for cls in (Loss, Metric, Optimizer)}
        said = {name: {"module": "theirs", "class_name": name, "config": {}, "registered_name": f"theirs>{name}"}
                for name in own}
        config = {"optimizer": said["Optimizer"], "loss": said["Loss"], "metrics": [said["Metric"]]}
        model = own_model()
        state.compile_model(model, config, "m", own)
        assert [type(one) for one in (model.optimizer, model.objective.heads[0].loss)] == [Optimizer, Loss]
        with pytest.raises(ModelFileError, match="of module 'theirs' is not one of Keras's own"):
            state.compile_model(model, config, "m")

    def test_a_name_of_a_known_layer_is_the_users(self):
        class Dense(fastrnn.layers.Dense):
            pass

        x = fastrnn.Input((3,))
        text = fastrnn.Model(x, fastrnn.layers.Dense(2)(x)).to_json()
        assert type(model_from_json(text, {"Dense": Dense}).layers[1]) is Dense


def test_what_keras_says_of_training():
    """Keras 3 writes false where nobody said anything; what somebody said comes back."""
    x = fastrnn.Input((3,))
    for said in (None, True, False):
        model = fastrnn.Model(x, fastrnn.layers.Dropout(0.5)(x, training=said))
        config = model.get_config()
        [node] = fastrnn.Model.from_config(config).graph.nodes
        assert node.training is said
    config["layers"][1]["inbound_nodes"][0]["kwargs"]["training"] = False
    assert fastrnn.Model.from_config(config).graph.nodes[0].training is None


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"class_name": "Dense", "config": {"units": 2}}',
                                  '{"class_name": "Functional", "config": {"name": "x"}}'])
def test_no_model(text):
    with pytest.raises(ModelFileError, match="^JSON: "):
        model_from_json(text)
    with pytest.raises(TypeError, match="expected a text"):
        model_from_json(json)
    with pytest.raises(TypeError, match="expected a Sequential or a Model"):
        clone_model(text)


def test_a_layer_in_two_models_inside_each_other(tmp_path):
    layer, x = fastrnn.layers.Dense(3), fastrnn.Input((3,))
    model = fastrnn.Model(x, layer(fastrnn.Sequential([fastrnn.Input((3,)), layer])(x)))
    with pytest.raises(ValueError, match="a layer is in two models inside each other"):
        model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    model.load_weights(tmp_path / "m.weights.h5")
