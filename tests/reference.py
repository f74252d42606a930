# SPDX-License-Identifier: Apache-2.0
"""The recurrent cells in plain NumPy: slow, obvious, and in whatever precision they are given.

Letters as in the kernels: N batch, T time, D input, H hidden; gradients carry `d`. Weights have Keras's layouts:
W (D, gates*H), U (H, gates*H), b (gates*H,), gates in the order i, f, c, o (LSTM) and z, r, h (GRU); the bias of a GRU
with `reset_after` is (2, 3*H): one row for the input, one for the recurrent product. minGRU has no U, and z, h.

Each cell is a class with `step`, one time step forward, and `step_backward`, its derivative; `_forward` and
`_backward` walk them over time and are where masks, dropout and direction live, the same for every cell.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


def sigmoid(z):
    """1 / (1 + exp(-z)), written so that nothing overflows."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


# name: the function and its derivative, both of the pre-activation.
ACTIVATIONS = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "hard_sigmoid": (lambda z: np.clip(z / 6 + 0.5, 0, 1), lambda z: (np.abs(z) < 3).astype(z.dtype) / 6),
}


@dataclass
class SimpleRNN:
    """h = f(x W + h U + b)."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    activation: str = "tanh"

    gates, states = 1, 1

    def step(self, x, states, drop):
        """x (N, D), states [h (N, H)], drop: what h is multiplied by before U. Returns the new states and what
        `step_backward` needs."""
        (h,) = states
        f, _ = ACTIVATIONS[self.activation]
        a = x @ self.W + (h * drop) @ self.U + self.b
        return [f(a)], (x, h * drop, drop, a)

    def step_backward(self, dstates, saved):
        """From the gradients of the new states: those of x, of the old states, and of W, U and b."""
        (dh,) = dstates
        x, hd, drop, a = saved
        _, df = ACTIVATIONS[self.activation]
        da = dh * df(a)
        return da @ self.W.T, [da @ self.U.T * drop], (x.T @ da, hd.T @ da, da.sum(0))


@dataclass
class LSTM:
    """i, f, o = s(x W + h U + b); c = f c + i g(x W + h U + b); h = o g(c). With the peepholes p (3, H) of i, f and o,
    p_i c and p_f c are added in i and f, and p_o times the new c in o."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    p: np.ndarray | None = None
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    gates, states = 4, 2

    def step(self, x, states, drop):
        h, c = states
        g, _ = ACTIVATIONS[self.activation]
        s, _ = ACTIVATIONS[self.recurrent_activation]
        ai, af, ac, ao = np.split(x @ self.W + (h * drop) @ self.U + self.b, 4, axis=1)
        if self.p is not None:
            ai, af = ai + self.p[0] * c, af + self.p[1] * c
        c_new = s(af) * c + s(ai) * g(ac)
        if self.p is not None:
            ao = ao + self.p[2] * c_new
        h_new = s(ao) * g(c_new)
        return [h_new, c_new], (x, h * drop, drop, c, c_new, ai, af, ac, ao)

    def step_backward(self, dstates, saved):
        dh, dc = dstates
        x, hd, drop, c, c_new, ai, af, ac, ao = saved
        g, dg = ACTIVATIONS[self.activation]
        s, ds = ACTIVATIONS[self.recurrent_activation]
        dao = dh * g(c_new) * ds(ao)
        dc = dc + dh * s(ao) * dg(c_new)
        if self.p is not None:
            dc = dc + dao * self.p[2]
        dai, daf = dc * g(ac) * ds(ai), dc * c * ds(af)
        da = np.concatenate([dai, daf, dc * s(ai) * dg(ac), dao], axis=1)
        dweights = [x.T @ da, hd.T @ da, da.sum(0)]
        dc = dc * s(af)
        if self.p is not None:
            dc = dc + dai * self.p[0] + daf * self.p[1]
            dweights.append(np.stack([(dai * c).sum(0), (daf * c).sum(0), (dao * c_new).sum(0)]))
        return da @ self.W.T, [da @ self.U.T * drop, dc], dweights


@dataclass
class GRU:
    """z, r = s(x W + h U + b); n = g(x W + b + r (h U + b)) with reset_after, g(x W + b + (r h) U) without;
    h = z h + (1 - z) n. Dropout touches the h that meets U, never the h that z keeps."""

    W: np.ndarray
    U: np.ndarray
    b: np.ndarray
    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    gates, states = 3, 1

    def step(self, x, states, drop):
        (h,) = states
        hd = h * drop
        g, _ = ACTIVATIONS[self.activation]
        s, _ = ACTIVATIONS[self.recurrent_activation]
        Uz, Ur, Un = np.split(self.U, 3, axis=1)
        b, bu = self.b if self.reset_after else (self.b, np.zeros_like(self.b))
        bz, br, bn = np.split(bu, 3)
        xz, xr, xn = np.split(x @ self.W + b, 3, axis=1)
        az = xz + hd @ Uz + bz
        ar = xr + hd @ Ur + br
        un = hd @ Un + bn if self.reset_after else (s(ar) * hd) @ Un
        an = xn + s(ar) * un if self.reset_after else xn + un
        return [s(az) * h + (1 - s(az)) * g(an)], (x, h, hd, drop, az, ar, an, un)

    def step_backward(self, dstates, saved):
        (dh,) = dstates
        x, h, hd, drop, az, ar, an, un = saved
        g, dg = ACTIVATIONS[self.activation]
        s, ds = ACTIVATIONS[self.recurrent_activation]
        z, r = s(az), s(ar)
        Uz, Ur, Un = np.split(self.U, 3, axis=1)
        daz = dh * (h - g(an)) * ds(az)
        dan = dh * (1 - z) * dg(an)
        if self.reset_after:
            dar = dan * un * ds(ar)
            dhd = daz @ Uz.T + dar @ Ur.T + (dan * r) @ Un.T
            du = np.concatenate([daz, dar, dan * r], axis=1)
            dU = hd.T @ du
        else:
            drh = dan @ Un.T
            dar = drh * hd * ds(ar)
            dhd = daz @ Uz.T + dar @ Ur.T + drh * r
            dU = np.concatenate([hd.T @ daz, hd.T @ dar, (r * hd).T @ dan], axis=1)
        da = np.concatenate([daz, dar, dan], axis=1)
        db = np.stack([da.sum(0), du.sum(0)]) if self.reset_after else da.sum(0)
        return da @ self.W.T, [dh * z + dhd * drop], (x.T @ da, dU, db)


@dataclass
class MinGRU:
    """z = s(x W + b); h = (1 - z) h + z g(x W + b)."""

    W: np.ndarray
    b: np.ndarray
    activation: str = "linear"
    recurrent_activation: str = "sigmoid"

    gates, states = 2, 1

    def step(self, x, states, drop):
        (h,) = states
        g, _ = ACTIVATIONS[self.activation]
        s, _ = ACTIVATIONS[self.recurrent_activation]
        az, an = np.split(x @ self.W + self.b, 2, axis=1)
        return [(1 - s(az)) * h + s(az) * g(an)], (x, h, az, an)

    def step_backward(self, dstates, saved):
        (dh,) = dstates
        x, h, az, an = saved
        g, dg = ACTIVATIONS[self.activation]
        s, ds = ACTIVATIONS[self.recurrent_activation]
        da = np.concatenate([dh * (g(an) - h) * ds(az), dh * s(az) * dg(an)], axis=1)
        return da @ self.W.T, [dh * (1 - s(az))], (x.T @ da, None, da.sum(0))


@dataclass
class Gradients:
    """Of x (N, T, D), W, U (None without one), b (None without a bias), each initial state (N, H) and p (None without
    peepholes)."""

    x: np.ndarray
    W: np.ndarray
    U: np.ndarray | None
    b: np.ndarray | None
    initial_state: list[np.ndarray] = field(default_factory=list)
    p: np.ndarray | None = None


def _forward(cell, x, *, initial_state=None, mask=None, zero_output_for_mask=False, dropout_mask=None,
             recurrent_dropout_mask=None, go_backwards=False):
    """Outputs (N, T, H) in the order in which they were made, the final states, and what each step saved.

    mask (N, T) bool: where False, the state and the output are those of the step before (zero with
    `zero_output_for_mask`, and where there is none). dropout_mask (N, D) and recurrent_dropout_mask (N, H) are shared
    by all steps.
    """
    N, T, _ = x.shape
    H = cell.W.shape[1] // cell.gates
    states = [np.zeros((N, H), x.dtype)] * cell.states if initial_state is None else list(initial_state)
    mask = np.ones((N, T), bool) if mask is None else mask
    drop = np.ones((N, H), x.dtype) if recurrent_dropout_mask is None else recurrent_dropout_mask
    if dropout_mask is not None:
        x = x * dropout_mask[:, None, :]
    if go_backwards:
        x, mask = x[:, ::-1], mask[:, ::-1]
    y = np.zeros((N, T, H), x.dtype)
    tape, counted = [], np.logical_or.accumulate(mask, axis=1)
    for t in range(T):
        new, saved = cell.step(x[:, t], states, drop)
        keep = mask[:, t, None]
        states = [np.where(keep, n, s) for n, s in zip(new, states)]
        shown = keep if zero_output_for_mask else counted[:, t, None]
        y[:, t] = np.where(shown, states[0], 0)
        tape.append((keep, shown, saved))
    return y, states, tape


def _backward(cell, dy, dstates, x, *, zero_output_for_mask=False, dropout_mask=None, go_backwards=False, **options):
    """Backpropagation through time; dy (N, T, H), dstates the gradients of the final states or None."""
    options.update(zero_output_for_mask=zero_output_for_mask, dropout_mask=dropout_mask, go_backwards=go_backwards)
    _, states, tape = _forward(cell, x, **options)
    d = [np.zeros_like(s) for s in states] if dstates is None else list(dstates)
    U = getattr(cell, "U", None)
    grads = Gradients(np.zeros_like(x), np.zeros_like(cell.W), None if U is None else np.zeros_like(U),
                      np.zeros_like(cell.b))
    for t in reversed(range(len(tape))):
        keep, shown, saved = tape[t]
        d[0] = d[0] + np.where(shown, dy[:, t], 0)
        dx, dold, (dW, dU, db, *dp) = cell.step_backward([np.where(keep, s, 0) for s in d], saved)
        d = [new + np.where(keep, 0, s) for new, s in zip(dold, d)]
        grads.x[:, t] = dx
        grads.W += dW
        if U is not None:
            grads.U += dU
        grads.b += db
        if dp:
            grads.p = dp[0] + (0 if grads.p is None else grads.p)
    if go_backwards:
        grads.x = grads.x[:, ::-1]
    if dropout_mask is not None:
        grads.x = grads.x * dropout_mask[:, None, :]
    grads.initial_state = d
    return grads


CELLS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU, "MinGRU": MinGRU}
CELL_OPTIONS = ("activation", "recurrent_activation", "reset_after")


def weight_names(name):
    """Keras's names of the cell's weights, in the order in which `forward` and `backward` take them."""
    recurrent = [] if name == "MinGRU" else ["recurrent_kernel"]
    return ["kernel", *recurrent, "bias", *(["peephole_kernel"] if name == "LSTM" else [])]


def bias_shape(name, H, reset_after=True):
    return (2, 3 * H) if name == "GRU" and reset_after else (CELLS[name].gates * H,)


def _cell(name, weights, options):
    cls = CELLS[name]
    kept = {k: options.pop(k) for k in CELL_OPTIONS if k in options}
    given = dict(zip(weight_names(name), weights))
    if given.get("bias") is None:
        W = given["kernel"]
        given["bias"] = np.zeros(bias_shape(name, W.shape[1] // cls.gates, kept.get("reset_after", True)), W.dtype)
    return cls(*given.values(), **kept)


def forward(name, x, *weights, **options):
    """Outputs (N, T, H) and the list of final states of the cell `name`; the weights are those of `weight_names`, None
    for a bias or peepholes that it does without, the options those of the cell (activation, recurrent_activation,
    reset_after) and of `_forward`."""
    y, states, _ = _forward(_cell(name, weights, options), x, **options)
    return y, states


def backward(name, dy, dstates, x, *weights, **options):
    """The `Gradients` of sum(dy * y) + sum(dstates * states) for the y and states of `forward`."""
    grads = _backward(_cell(name, weights, options), dy, dstates, x, **options)
    if dict(zip(weight_names(name), weights)).get("bias") is None:
        grads.b = None
    return grads


def simple_rnn(x, W, U, b=None, **options):
    return forward("SimpleRNN", x, W, U, b, **options)


def lstm(x, W, U, b=None, p=None, **options):
    return forward("LSTM", x, W, U, b, p, **options)


def gru(x, W, U, b=None, **options):
    return forward("GRU", x, W, U, b, **options)


def random_weights(name, D, H, rng, use_bias=True, reset_after=True, use_peepholes=False):
    """[W, U, b] in float64, without U for MinGRU, without b if not `use_bias`, followed by p if `use_peepholes`, of a
    size that keeps every gate out of saturation."""
    gates = CELLS[name].gates
    W = rng.standard_normal((D, gates * H)) / np.sqrt(D)
    U = rng.standard_normal((H, gates * H)) * 0.7 / np.sqrt(H)
    b = rng.standard_normal(bias_shape(name, H, reset_after)) * 0.3
    p = [rng.standard_normal((3, H)) * 0.5] if use_peepholes else []
    return [W, *([] if name == "MinGRU" else [U]), *([b] if use_bias else []), *p]


def random_mask(kind, N, T, rng):
    """A mask (N, T) of each kind that data has: None, "right" or "left" padding, "late" where no row has the first
    steps, "holes", "full" rows of padding."""
    if kind is None:
        return None
    lengths = rng.integers(1, T + 1, N)[:, None]
    steps = np.arange(T)[None]
    if kind == "right":
        return steps < lengths
    if kind in ("left", "late"):
        return steps >= np.maximum(T - lengths, 2 if kind == "late" else 0)
    mask = rng.random((N, T)) < 0.6
    if kind == "full":
        mask[:: 2] = False
    return mask
