# SPDX-License-Identifier: Apache-2.0
"""What is done once when an ONNX graph is loaded: constants, views, packed weights, and when a value is free again."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastrnn.saving import ModelFileError, load_onnx
from fastrnn.saving.onnx.external import External
from fastrnn.saving.onnx.graph import read_node
from fastrnn.saving.onnx.plan import OPERATORS
from fastrnn.saving.onnx.protobuf import Message
from fastrnn.saving.onnx.room import Room
from fastrnn.saving.onnx.views import MAY_SHARE
from tests.saving.onnx.graphs import assert_same, by_runtime, graph, node_of, recurrent
from tests.saving.onnx.test_nodes import NODE_TESTS


def node(operator, inputs, outputs="y", **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def of_floats(nodes, constants, inputs=("x",), outputs=("y",)):
    """A model of these nodes, on floats of any shape."""
    stored = [numpy_helper.from_array(np.array(array), name) for name, array in constants.items()]
    takes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs]
    gives = [helper.make_empty_tensor_value_info(name) for name in outputs]
    return helper.make_model(helper.make_graph(nodes, "g", takes, gives, stored),
                             opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def constants_of(model):
    """The constants that a loaded model's runs take, by name."""
    plan = model._plan
    return {name: plan._values[slot] for name, slot in plan._slots.items() if plan._values[slot] is not None}


class TestConstants:
    @pytest.mark.parametrize("nodes", [
        [node("Gemm", "x w", transB=1)], [node("Transpose", "w", "t"), node("MatMul", "x t")], [node("Add", "x w")],
        [node("Gather", "w i"), ], [node("Concat", "x w", axis=0)], [node("Identity", "w", "v"), node("Mul", "x v")]])
    def test_are_aligned_once(self, nodes, rng):
        """Wherever in the file they lie, and whatever takes them."""
        x, w = rng.standard_normal((3, 3)).astype("f4"), rng.standard_normal((3, 3)).astype("f4")
        model = of_floats(nodes, {"w": w, "i": [2, 0]})
        expected = by_runtime(model, {"x": x})
        for shift in range(8):
            model.producer_name = "x" * shift
            loaded = load_onnx(model)
            found = constants_of(loaded)
            assert found and all(array.flags.aligned for array in found.values())
            assert_same(loaded.run(x), expected)

    def test_packed_weights_are_kept_no_more(self, rng):
        arrays = recurrent("LSTM", rng)
        feeds = {name: array for name, array in arrays.items() if name not in "WRB"}
        loaded = load_onnx(graph(node_of("LSTM", arrays), arrays, ["W", "R", "B"]))
        assert constants_of(loaded) == {}
        assert_same(loaded.run(feeds), load_onnx(graph(node_of("LSTM", arrays), arrays)).run(arrays), 0)

    def test_weights_that_do_not_fit_are_refused_when_loaded(self, rng):
        arrays = recurrent("LSTM", rng)
        arrays["R"] = arrays["R"][:, :-1]
        with pytest.raises(ModelFileError, match=r"LSTM 'n': R: expected float32 of shape \(1, 16, 4\)"):
            load_onnx(graph(node_of("LSTM", arrays), arrays, ["W", "R", "B"]))


def chain_of_views():
    """The second of the last axis' numbers, with the first axis turned round, for x (n, m, 2)."""
    nodes = [node("Unsqueeze", "x a", "u"), node("Slice", "u s e b d", "v"), node("Gather", "v i", "w", axis=-1),
             node("Squeeze", "w a", "q"), node("Reshape", "q r")]
    return of_floats(nodes, {"a": [0], "s": [-1], "e": [-99], "b": [1], "d": [-1], "i": -1, "r": [0, -1]})


class TestViews:
    def test_beside_runtime(self, rng):
        """With a shape that changes from call to call."""
        model = chain_of_views()
        loaded = load_onnx(model)
        for shape in ((2, 3, 4), (5, 1, 2), (2, 3, 4), (1, 7, 3)):
            x = rng.standard_normal(shape).astype("f4")
            assert_same(loaded.run(x), by_runtime(model, {"x": x}))

    def test_in_threads(self, rng):
        from concurrent.futures import ThreadPoolExecutor

        loaded = load_onnx(chain_of_views())
        batches = [rng.standard_normal((n % 3 + 1, n % 5 + 1, 2)).astype("f4") for n in range(200)]
        with ThreadPoolExecutor(4) as pool:
            for x, (y,) in zip(batches, pool.map(loaded.run, batches)):
                np.testing.assert_array_equal(y, x[::-1, :, 1])

    @pytest.mark.parametrize("bad, said", [
        (node("Squeeze", "x a", name="n"), r"Squeeze 'n': cannot take inputs float32 \(2, 3\): .*not equal to one"),
        (node("Transpose", "x", perm=[0, 0], name="n"), r"Transpose 'n': cannot take inputs float32 \(2, 3\)"),
        (node("Gather", "x i", name="n"), r"Gather 'n': cannot take inputs float32 \(2, 3\): .*out of bounds"),
        (node("Reshape", "x r", name="n"), r"Reshape 'n': cannot take inputs float32 \(2, 3\)"),
        (node("Unsqueeze", "x b", name="n"), "Unsqueeze 'n': axis: expected one of 3, got 7"),
        (node("Slice", "x a a b", name="n"), "Slice 'n': axis: expected one of 2, got 7"),
        (node("Concat", "x", axis=5, name="n"), "Concat 'n': axis: expected one of 2, got 5")])
    def test_errors_name_the_node(self, bad, said, rng):
        model = load_onnx(of_floats([bad], {"a": [0], "b": [7], "i": 9, "r": [5, 5]}))
        with pytest.raises(ModelFileError, match=said):
            model.run(np.zeros((2, 3), "f4"))

    @pytest.mark.parametrize("operator", sorted(OPERATORS))
    def test_what_shares_memory(self, operator):
        """Of all onnx's tests of an operator: none gives a view of an input unless that is known."""
        for case in NODE_TESTS.values():
            nodes = case.model.graph.node
            if len(nodes) != 1 or nodes[0].op_type != operator:
                continue
            found = read_node(Message(memoryview(nodes[0].SerializeToString()), "f", "n"), 17, External(None))
            for arrays, _ in case.data_sets:
                with contextlib.suppress(Exception), np.errstate(all="ignore"):
                    results = OPERATORS[operator](found, arrays, Room(1 << 30))
                    for y in results if isinstance(results, tuple) else (results,):
                        shared = [place for place, x in enumerate(arrays) if np.may_share_memory(x, y)]
                        assert shared in ([], [0]), (case.name, shared)
                        assert not shared or operator in MAY_SHARE, case.name


class TestShapes:
    """What depends on the inputs' shapes alone, as PyTorch's exporter makes the first states of a batch of any size."""

    @staticmethod
    def of_zeros(rng):
        arrays = recurrent("LSTM", rng, lengths=False, initial=False)
        arrays["units"] = np.array([4])
        lstm = node_of("LSTM", {**arrays, "initial_h": 0, "initial_c": 0})
        lstm.input[5] = lstm.input[6] = "zeros"
        nodes = [node("Shape", "X", "shape"), node("Slice", "shape one two", "batch"),
                 node("Concat", "one batch units", "states", axis=0), node("ConstantOfShape", "states", "zeros"), lstm]
        arrays |= {"one": np.array([1]), "two": np.array([2])}
        return graph(nodes, arrays, [name for name in arrays if name != "X"])

    def test_follow_the_shape(self, rng):
        model = self.of_zeros(rng)
        loaded = load_onnx(model)
        for batch in (3, 3, 5, 1, 3):
            x = rng.standard_normal((6, batch, 2)).astype("f4")
            assert_same(loaded.run(x), by_runtime(model, {"X": x}))

    def test_are_made_once(self, rng, monkeypatch):
        calls, made = [], OPERATORS["ConstantOfShape"]
        monkeypatch.setitem(OPERATORS, "ConstantOfShape",
                            lambda *arguments: calls.append(1) or made(*arguments))
        loaded = load_onnx(self.of_zeros(rng))
        for batch in (3, 3, 3, 5, 5):
            loaded.run(np.zeros((6, batch, 2), "f4"))
        assert len(calls) == 2

    def test_count_as_memory_each_time(self, rng):
        loaded = load_onnx(self.of_zeros(rng))
        x, used = np.zeros((6, 3, 2), "f4"), []
        for _ in range(3):
            room = Room(1 << 20)
            loaded._plan.run([x], room)
            used.append(room.used)
        assert used[0] == used[1] == used[2] > 0

    def test_outputs_are_the_callers_own(self):
        model = load_onnx(of_floats([node("Shape", "x"), node("Identity", "y", "z")], {}, outputs=("y", "z")))
        x = np.zeros((2, 3), "f4")
        for y in model.run(x):
            y[...] = 7
        for y in model.run(x):
            np.testing.assert_array_equal(y, [2, 3])


class TestMemory:
    def test_outputs_are_the_callers_own(self, rng):
        """What is written to an output changes neither the model, nor an input, nor another output."""
        model = load_onnx(of_floats([node("Identity", "x", "a"), node("Identity", "c", "b"), node("Add", "x c", "d"),
                                     node("Transpose", "d", "e", perm=[0, 1])],
                                    {"c": np.ones((2, 3), "f4")}, outputs=("a", "b", "d", "e")))
        x = rng.standard_normal((2, 3)).astype("f4")
        before, expected = x.copy(), [y.copy() for y in model.run(x)]
        for y in model.run(x):
            y[...] = 7
        np.testing.assert_array_equal(x, before)
        found = model.run(x)
        found[2][...] = 7
        np.testing.assert_array_equal(found[3], expected[3])
        assert_same(model.run(x), expected, 0)

    def test_a_view_keeps_what_it_is_of(self):
        """Twenty megabytes of which one number each is used: they are in memory, and count, until the last view is
        over."""
        nodes = []
        for number in range(20):
            nodes += [node("Tile", "x times", f"large{number}"), node("Slice", f"large{number} zero one", f"v{number}")]
        apart = [helper.make_node("Sum", [f"v{number}" for number in range(20)], ["y"])]
        constants = {"times": [1 << 18], "zero": [0], "one": [1]}
        with pytest.raises(ModelFileError, match="of 8388608 that may be used"):
            load_onnx(of_floats(nodes + apart, constants), max_bytes=8 << 20).run(np.ones(1, "f4"))
        summed = [nodes[0], nodes[1]]
        for number in range(1, 20):     # here each is over before the next one comes
            before = "v0" if number == 1 else f"s{number - 1}"
            summed += [*nodes[2 * number:2 * number + 2], node("Add", f"{before} v{number}", f"s{number}")]
        summed.insert(2, node("Add", "v0 x", "first"))
        small = of_floats(summed, constants, outputs=("s19",))
        assert load_onnx(small, max_bytes=8 << 20).run(np.ones(1, "f4"))[0].item() == 20

    def test_all_is_given_back(self, rng):
        """After a run, as much is counted as the outputs take."""
        arrays = recurrent("GRU", rng)
        nodes = [helper.make_node("Relu", ["X"], ["r"]), helper.make_node("Transpose", ["r"], ["t"], perm=[0, 1, 2]),
                 node_of("GRU", {**arrays, "X": 0})]
        nodes[-1].input[0] = "t"
        plan = load_onnx(graph(nodes, arrays))._plan
        room = Room(1 << 20)
        found = plan.run([arrays[value] for value in arrays], room)
        assert room.used == sum(y.nbytes for y in found)
