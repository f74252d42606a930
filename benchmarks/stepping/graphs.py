# SPDX-License-Identifier: Apache-2.0
"""A step with its states as an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from stepping.cases import Case, Weights, blocks


def onnx_graph(case: Case, whole: bool = True) -> bytes:
    """One step as ONNX: inputs x (1, N, D) and all states (1, N, H); outputs y (1, N, O) if there is a Dense layer, and
    all states, named `out_` and so on. Without a Dense layer the last h is the output. The layers are ONNX's LSTM and
    GRU if `whole`, else products, sigmoids and so on."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: dict[str, np.ndarray] = {}

    def node(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    recurrent, dense = case.weights()
    below = "x"
    for k, weights in enumerate(recurrent):
        make = _whole if whole else {"lstm": _lstm_of_parts, "gru": _gru_of_parts}[case.cell]
        make(case, k, below, weights, node, constants)
        below = f"out_h{k}"         # (1, N, H): one time step for the layer above
    outputs = {f"out_{state}": case.H for state in case.states}
    if dense:
        constants |= {"W": dense[0], "b": dense[1]}
        node("Add", [node("MatMul", [below, "W"], ["product"]), "b"], ["y"])
        outputs = {"y": case.O} | outputs

    def values(widths: dict[str, int]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, case.N, width])
                for name, width in widths.items()]

    graph = helper.make_graph(nodes, "step", values(dict.fromkeys(["x", *case.states], case.H)), values(outputs),
                              [numpy_helper.from_array(np.ascontiguousarray(value), name)
                               for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    return model.SerializeToString()


def _whole(case: Case, k: int, below: str, weights: Weights, node: Any, constants: dict[str, np.ndarray]) -> None:
    """Layer k as one node."""
    order = {"lstm": "iofc", "gru": "zrh"}[case.cell]
    W, U, b = (blocks(value, case.cell, order) for value in weights)
    constants |= {f"W{k}": W.T[None], f"R{k}": U.T[None],
                  f"B{k}": (b if case.cell == "gru" else np.stack([b, np.zeros_like(b)])).reshape(1, -1)}
    states = [state for state in case.states if state.endswith(str(k))]
    node(case.cell.upper(), [below, f"W{k}", f"R{k}", f"B{k}", "", *states],
         ["", *(f"out_{state}" for state in states)], hidden_size=case.H,
         **({"linear_before_reset": 1} if case.cell == "gru" else {}))


def _lstm_of_parts(case: Case, k: int, below: str, weights: Weights, node: Any,
                   constants: dict[str, np.ndarray]) -> None:
    """Layer k in arithmetic."""
    constants |= {f"W{k}": np.concatenate(weights[:2]), f"b{k}": weights.bias}
    both = node("Concat", [below, f"h{k}"], [f"both{k}"], axis=2)
    z = node("Add", [node("MatMul", [both, f"W{k}"], [f"product{k}"]), f"b{k}"], [f"z{k}"])
    i, f, g, o = (f"{gate}{k}" for gate in "ifgo")
    node("Split", [z], [f"z{gate}" for gate in (i, f, g, o)], axis=2)
    for gate in (i, f, g, o):
        node("Tanh" if gate == g else "Sigmoid", [f"z{gate}"], [gate])
    c = node("Add", [node("Mul", [f, f"c{k}"], [f"kept{k}"]), node("Mul", [i, g], [f"new{k}"])], [f"out_c{k}"])
    node("Mul", [o, node("Tanh", [c], [f"tanh{k}"])], [f"out_h{k}"])


def _gru_of_parts(case: Case, k: int, below: str, weights: Weights, node: Any,
                  constants: dict[str, np.ndarray]) -> None:
    """Layer k in arithmetic, h' = hh + z (h - hh)."""
    constants |= {f"W{k}": weights.kernel, f"U{k}": weights.recurrent_kernel, f"b{k}": weights.bias[0],
                  f"c{k}": weights.bias[1]}
    for value, matrix, bias, sum_ in ((below, "W", "b", "p"), (f"h{k}", "U", "c", "q")):
        product = node("MatMul", [value, f"{matrix}{k}"], [f"product_{matrix}{k}"])
        node("Add", [product, f"{bias}{k}"], [f"{sum_}{k}"])
        node("Split", [f"{sum_}{k}"], [f"{sum_}{gate}{k}" for gate in "zrh"], axis=2)
    z, r = (node("Sigmoid", [node("Add", [f"p{gate}{k}", f"q{gate}{k}"], [f"s{gate}{k}"])], [f"{gate}{k}"])
            for gate in "zr")
    under = node("Mul", [r, f"qh{k}"], [f"under{k}"])
    hh = node("Tanh", [node("Add", [f"ph{k}", under], [f"sh{k}"])], [f"hh{k}"])
    node("Add", [hh, node("Mul", [z, node("Sub", [f"h{k}", hh], [f"less{k}"])], [f"kept{k}"])], [f"out_h{k}"])
