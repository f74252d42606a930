# SPDX-License-Identifier: Apache-2.0
"""One step of each cell in NumPy, and its gradients, with whatever activation.

Letters as in the kernels: N batch, H hidden; gradients carry `d`. `a` (N, gates H) is what the input adds to the gates,
x W + b; `hd` is the state as U meets it, which is h times its dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastrnn.activations import Activation

Arrays = Sequence[np.ndarray]


class Back(NamedTuple):
    """What the gradients of a step's states make."""

    da: np.ndarray                          # of `a`
    dh: np.ndarray                          # of h, but for what U was given
    dhd: np.ndarray | None                  # of what U was given, None if the cell has no U
    dc: np.ndarray | None = None
    dU: np.ndarray | None = None
    du: np.ndarray | None = None            # of hd U + b, where that has a bias of its own
    dpeepholes: np.ndarray | None = None


Backward = Callable[[np.ndarray, Any], Back]
Step = Callable[["Weights", np.ndarray, np.ndarray, Any, np.ndarray], tuple[list[np.ndarray], Backward]]


class Weights(NamedTuple):
    """What the steps of a layer share."""

    U: np.ndarray
    b: np.ndarray | None                    # of hd U, in a GRU with reset_after
    p: np.ndarray | None                    # peepholes of i, f and o
    activation: Activation
    recurrent_activation: Activation


def _apply(activation: Activation, x: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """What the activation makes of x, and its gradient."""
    y = activation.forward(x)
    return y, lambda dy: activation.backward(y, dy, x)


def simple_rnn(w: Weights, a: np.ndarray, h: np.ndarray, c: Any, hd: np.ndarray) -> tuple[list[np.ndarray], Backward]:
    """``h' = activation(a + h U)``"""
    new, activation_back = _apply(w.activation, a + hd @ w.U)

    def back(dh: np.ndarray, dc: Any) -> Back:
        da = activation_back(dh)
        return Back(da, np.zeros_like(dh), da @ w.U.T, dU=hd.T @ da)

    return [new], back


def lstm(w: Weights, a: np.ndarray, h: np.ndarray, c: Any, hd: np.ndarray) -> tuple[list[np.ndarray], Backward]:
    """``c' = f c + i g``, ``h' = o activation(c')``"""
    ai, af, ag, ao = np.split(a + hd @ w.U, 4, 1)
    p = w.p
    if p is not None:
        ai, af = ai + p[0] * c, af + p[1] * c
    (i, i_back), (f, f_back) = _apply(w.recurrent_activation, ai), _apply(w.recurrent_activation, af)
    g, g_back = _apply(w.activation, ag)
    new = f * c + i * g
    o, o_back = _apply(w.recurrent_activation, ao if p is None else ao + p[2] * new)
    y, y_back = _apply(w.activation, new)

    def back(dh: np.ndarray, dc: Any) -> Back:
        dao = o_back(dh * y)
        dnew = dc + y_back(dh * o)
        if p is not None:
            dnew = dnew + dao * p[2]
        dai, daf = i_back(dnew * g), f_back(dnew * c)
        da = np.concatenate([dai, daf, g_back(dnew * i), dao], 1)
        dold, dp = dnew * f, None
        if p is not None:
            dold = dold + dai * p[0] + daf * p[1]
            dp = np.stack([(dai * c).sum(0), (daf * c).sum(0), (dao * new).sum(0)])
        return Back(da, np.zeros_like(dh), da @ w.U.T, dold, hd.T @ da, None, dp)

    return [o * y, new], back


def gru(w: Weights, a: np.ndarray, h: np.ndarray, c: Any, hd: np.ndarray) -> tuple[list[np.ndarray], Backward]:
    """``h' = z h + (1 - z) activation(a + r (h U))``"""
    az, ar, an = np.split(a, 3, 1)
    uz, ur, un = np.split(hd @ w.U if w.b is None else hd @ w.U + w.b, 3, 1)
    (z, z_back), (r, r_back) = _apply(w.recurrent_activation, az + uz), _apply(w.recurrent_activation, ar + ur)
    n, n_back = _apply(w.activation, an + r * un)

    def back(dh: np.ndarray, dc: Any) -> Back:
        daz, dan = z_back(dh * (h - n)), n_back(dh * (1 - z))
        dar = r_back(dan * un)
        du = np.concatenate([daz, dar, dan * r], 1)
        return Back(np.concatenate([daz, dar, dan], 1), dh * z, du @ w.U.T, dU=hd.T @ du, du=du)

    return [z * h + (1 - z) * n], back


def gru_reset_before(w: Weights, a: np.ndarray, h: np.ndarray, c: Any,
                     hd: np.ndarray) -> tuple[list[np.ndarray], Backward]:
    """``h' = z h + (1 - z) activation(a + (r h) U)``"""
    az, ar, an = np.split(a, 3, 1)
    H = h.shape[1]
    U, Un = w.U[:, :2 * H], w.U[:, 2 * H:]
    uz, ur = np.split(hd @ U, 2, 1)
    (z, z_back), (r, r_back) = _apply(w.recurrent_activation, az + uz), _apply(w.recurrent_activation, ar + ur)
    n, n_back = _apply(w.activation, an + (r * hd) @ Un)

    def back(dh: np.ndarray, dc: Any) -> Back:
        daz, dan = z_back(dh * (h - n)), n_back(dh * (1 - z))
        drh = dan @ Un.T
        gates = np.concatenate([daz, r_back(drh * hd)], 1)
        return Back(np.concatenate([gates, dan], 1), dh * z, gates @ U.T + drh * r,
                    dU=np.concatenate([hd.T @ gates, (r * hd).T @ dan], 1))

    return [z * h + (1 - z) * n], back


def min_gru(w: Weights, a: np.ndarray, h: np.ndarray, c: Any, hd: np.ndarray) -> tuple[list[np.ndarray], Backward]:
    """``h' = (1 - z) h + z activation(a)``"""
    az, an = np.split(a, 2, 1)
    (z, z_back), (n, n_back) = _apply(w.recurrent_activation, az), _apply(w.activation, an)

    def back(dh: np.ndarray, dc: Any) -> Back:
        return Back(np.concatenate([z_back(dh * (n - h)), n_back(dh * z)], 1), dh * (1 - z), None)

    return [(1 - z) * h + z * n], back


#: By the cell's name in the kernels' table.
STEPS: dict[str, Step] = {"SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru, "GRU reset before": gru_reset_before,
                          "MinGRU": min_gru}
