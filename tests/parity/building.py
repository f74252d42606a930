# SPDX-License-Identifier: Apache-2.0
"""A case as a model and its data, for whichever library is given."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tests.parity.cases import Case

N, BATCH, T, D, H, C, WORDS = 24, 8, 5, 3, 4, 3, 7

#: What a loss wants of the last activation and of the targets.
KINDS = {"mse": "numbers", "mae": "numbers", "huber": "numbers", "log_cosh": "numbers", "poisson": "counts",
         "cosine_similarity": "numbers", "hinge": "signs", "binary": "binary", "binary logits": "binary",
         "binary focal": "binary", "categorical": "classes", "categorical logits": "classes", "smoothed": "classes",
         "sparse": "indices", "sparse logits": "indices", "kl_divergence": "classes"}
ACTIVATIONS = {"numbers": None, "counts": "softplus", "signs": "tanh", "binary": "sigmoid", "classes": "softmax",
               "indices": "softmax"}

#: Structures with one result for a sequence; the others have one for each step.
OF_SEQUENCES = ("last", "two inputs", "shared", "pooling", "nested", "convolution")


@contextmanager
def precision(library: Any, case: Case) -> Iterator[None]:
    """The dtype that a case is trained in: float64 where Ftrl takes weights to nearly zero, and a norm of one makes the
    rounding errors in them large again."""
    fine = case.optimizer == "ftrl" and case.option == "constrained"
    library.config.set_dtype_policy("float64" if fine else "float32")
    try:
        yield
    finally:
        library.config.set_dtype_policy("float32")


def data(case: Case) -> tuple[list[np.ndarray], np.ndarray, dict[str, Any]]:
    """Inputs, targets and the weights that `fit` is given."""
    rng = np.random.default_rng(zlib.crc32(str(case).encode()))
    lengths = rng.integers(1, T + 1, N)
    valid = np.arange(T) < lengths[:, None]
    if case.mask == "gaps":
        valid = rng.random((N, T)) < 0.7
        valid[:, rng.integers(0, T)] = True
    if case.mask == "embedding":
        x = rng.integers(1, WORDS, (N, T)) * valid
    else:
        x = rng.standard_normal((N, T, D)).astype("float32")
        if case.mask != "none":
            x *= valid[:, :, None]
    xs = [x]
    if case.structure in ("two inputs", "states"):
        xs.append(rng.standard_normal((N, T, D)).astype("float32"))
    elif case.structure == "shared":
        xs.append(x[::-1].copy())
    shape = (N,) if case.structure in OF_SEQUENCES else (N, T)
    kind = KINDS[case.loss]
    classes = rng.integers(0, C, shape)
    y = {"numbers": lambda: rng.standard_normal((*shape, C)), "counts": lambda: rng.poisson(1.5, (*shape, C)),
         "signs": lambda: rng.choice([-1.0, 1.0], (*shape, C)), "binary": lambda: rng.integers(0, 2, (*shape, C)),
         "classes": lambda: np.eye(C)[classes], "indices": lambda: classes}[kind]()
    options: dict[str, Any] = {}
    if case.weight == "classes" and kind in ("classes", "indices") and shape == (N,):
        options["class_weight"] = {0: 0.5, 1: 2.0, 2: 1.25}
    elif case.weight != "none":
        # Of steps a mask leaves some out, and Keras joins it with weights of its own shape only.
        by_step = case.weight == "steps" or case.mask != "none"
        options["sample_weight"] = rng.random(shape if by_step else (*shape[:1], *(1,) * (len(shape) - 1))) + 0.1
    return xs, y if kind == "indices" else y.astype("float32"), {
        name: value.astype("float32") if name == "sample_weight" else value for name, value in options.items()}


def recurrent(library: Any, case: Case, sequences: bool = True, state: bool = False, again: bool = False) -> Any:
    """The case's recurrent layer; `again` for a second one in the model."""
    layers, kind = library.layers, case.cell.split()[-1]
    options: dict[str, Any] = {"return_sequences": sequences}
    if state:
        options["return_state"] = True
    if case.cell in ("RNN of cells", "two kinds"):
        kind = "LSTM"
    cell: dict[str, Any] = {}
    if case.option == "own":
        cell |= {"GRU": {"reset_after": False}, "LSTM": {"unit_forget_bias": False},
                 "SimpleRNN": {"activation": "sigmoid"}}[kind]
    elif case.option == "no bias":
        cell["use_bias"] = False
    elif case.option == "relu":
        cell["activation"] = "relu"
    elif case.option == "hard sigmoid":
        cell["activation" if kind == "SimpleRNN" else "recurrent_activation"] = "hard_sigmoid"
    elif case.option == "regularized":
        cell |= {"kernel_regularizer": library.regularizers.L1L2(0.01, 0.02),
                 "recurrent_regularizer": library.regularizers.L2(0.01), "bias_regularizer": "l1"}
    elif case.option == "constrained":
        cell |= {"kernel_constraint": library.constraints.MaxNorm(0.8), "recurrent_constraint": "unit_norm",
                 "bias_constraint": "non_neg"}
    elif case.option == "activity" and kind != "SimpleRNN":   # Keras's forgets it
        options["activity_regularizer"] = library.regularizers.L2(0.02)
    elif case.option == "backwards":
        options["go_backwards"] = True
    elif case.option == "stateful" and not (state and case.cell.startswith("Bidirectional")):
        # Keras's Bidirectional fails where it keeps states and gives them: it takes their masks, a generator, twice.
        options["stateful"] = True
    elif case.option == "unrolled" and (case.mask == "none" or not case.cell.startswith("Bidirectional")):
        # Unrolled, Keras lays the mask over the backward layer's outputs the wrong way round.
        options["unroll"] = True
    elif case.option == "zero output":
        options["zero_output_for_mask"] = True
    if case.cell == "RNN of cells":
        layer = layers.RNN(layers.LSTMCell(H, **cell), **options)
    elif case.cell == "two kinds":
        cell.pop("unit_forget_bias", None)
        gates = {name: value for name, value in cell.items() if name != "recurrent_activation"}
        layer = layers.RNN([layers.GRUCell(H, **cell), layers.SimpleRNNCell(H, **gates)], **options)
    elif case.cell.startswith("Bidirectional"):
        one = getattr(layers, kind)
        other = one(H, **cell, **{**options, "go_backwards": False}) if case.option == "backwards" else None
        layer = layers.Bidirectional(one(H, **cell, **options), merge_mode="sum", backward_layer=other)
    else:
        layer = getattr(layers, kind)(H, **cell, **options)
    if case.option == "frozen" and not again:
        layer.trainable = False   # not as an argument, which Keras does not hand on to cells
    return layer


def build(library: Any, case: Case) -> Any:
    """The model, not compiled."""
    layers = library.layers
    of_words = case.mask == "embedding"
    words, numbers = {"batch_shape": (BATCH, T), "dtype": "int32"}, {"batch_shape": (BATCH, T, D)}
    inputs = [library.Input(**(words if of_words else numbers))]
    if case.structure in ("two inputs", "states", "shared"):
        inputs.append(library.Input(**(words if of_words and case.structure == "shared" else numbers)))
    front = (layers.Embedding(WORDS, D, mask_zero=True) if of_words
             else layers.Masking() if case.mask != "none" else layers.Activation("linear"))
    x = front(inputs[0])
    sequence = after(library, case, x, inputs, front)
    kind = KINDS[case.loss]
    top = layers.Dense(C, activation=None if case.loss.endswith("logits") else ACTIVATIONS[kind])
    y = layers.TimeDistributed(top)(sequence) if case.structure == "time distributed" else top(sequence)
    return library.Model(inputs if len(inputs) > 1 else inputs[0], y)


def after(library: Any, case: Case, x: Any, inputs: list[Any], front: Any) -> Any:
    """What lies between the features and the last Dense."""
    layers, structure = library.layers, case.structure

    def layer(**options: Any) -> Any:
        return recurrent(library, case, **options)

    if structure == "last":
        return layer(sequences=False)(x)
    if structure in ("steps", "time distributed"):
        return layer()(x)
    if structure == "stack":
        return layer(again=True)(layer()(x))
    if structure == "two inputs":
        return layers.Concatenate()([layer(sequences=False)(x), layers.GRU(H)(inputs[1])])
    if structure == "states":
        _, *states = layer(state=True)(x)
        if case.cell == "two kinds":
            return layers.RNN([layers.GRUCell(H), layers.SimpleRNNCell(H)], return_sequences=True)(
                inputs[1], initial_state=states)
        kind = "LSTM" if case.cell == "RNN of cells" else case.cell.split()[-1]
        if case.cell.startswith("Bidirectional"):
            half = len(states) // 2
            states = [layers.Add()(pair) for pair in zip(states[:half], states[half:])]
        return getattr(layers, kind)(H, return_sequences=True)(inputs[1], initial_state=states)
    if structure == "shared":
        encoder = layer(sequences=False)
        return layers.Subtract()([encoder(x), encoder(front(inputs[1]))])
    if structure == "residual":
        first = layer()(x)
        return layers.Add()([first, layer(again=True)(first)])
    if structure == "convolution":
        return layer(sequences=False)(layers.Conv1D(H, 2, padding="causal", activation="relu")(x))
    if structure == "normalized":
        return layers.LayerNormalization()(layer()(x))
    if structure == "attention":
        sequence = layer()(x)
        return layers.Attention()([sequence, sequence])
    if structure == "pooling":
        return layers.GlobalAveragePooling1D()(layer()(x))
    if structure == "repeat":
        return layer(again=True)(layers.RepeatVector(T)(layer(sequences=False)(x)))
    if structure == "nested":
        inner = library.Input(batch_shape=(BATCH, T, D))
        return library.Model(inner, layer(sequences=False)(inner))(x)
    raise ValueError(structure)


def compiled(library: Any, case: Case) -> dict[str, Any]:
    """The arguments of `compile`."""
    kind, losses, optimizers, metrics = KINDS[case.loss], library.losses, library.optimizers, library.metrics
    loss = {"binary": "binary_crossentropy", "binary logits": losses.BinaryCrossentropy(from_logits=True),
            "binary focal": losses.BinaryFocalCrossentropy(gamma=2.0), "categorical": "categorical_crossentropy",
            "categorical logits": losses.CategoricalCrossentropy(from_logits=True),
            "smoothed": losses.CategoricalCrossentropy(label_smoothing=0.1),
            "sparse": "sparse_categorical_crossentropy",
            "sparse logits": losses.SparseCategoricalCrossentropy(from_logits=True),
            "huber": losses.Huber(0.7)}.get(case.loss, case.loss)
    schedules = optimizers.schedules
    optimizer = {
        "sgd": lambda: optimizers.SGD(0.1), "nesterov": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "adam": lambda: optimizers.Adam(0.01), "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
        "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1), "rmsprop": lambda: optimizers.RMSprop(0.01),
        "centered": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        "adagrad": lambda: optimizers.Adagrad(0.05), "adadelta": lambda: optimizers.Adadelta(1.0),
        "adamax": lambda: optimizers.Adamax(0.01), "nadam": lambda: optimizers.Nadam(0.01),
        "ftrl": lambda: optimizers.Ftrl(0.05), "lamb": lambda: optimizers.Lamb(0.01),
        "adafactor": lambda: optimizers.Adafactor(0.01),
        "clipped": lambda: optimizers.SGD(0.1, global_clipnorm=0.3),
        "averaged": lambda: optimizers.Adam(0.01, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=2),
        "accumulated": lambda: optimizers.SGD(0.1, gradient_accumulation_steps=2),
        "scheduled": lambda: optimizers.Adam(schedules.ExponentialDecay(0.02, 2, 0.7), clipnorm=0.5),
    }[case.optimizer]()
    first, second = {
        "numbers": lambda: (["mae"], [metrics.RootMeanSquaredError(name="rmse"), "cosine_similarity"]),
        "counts": lambda: (["mae"], ["poisson", "mse"]),
        "signs": lambda: (["hinge"], ["squared_hinge", "mae"]),
        "binary": lambda: (["accuracy"], [metrics.AUC(name="auc"), metrics.Precision(name="precision")]),
        "classes": lambda: (["accuracy"], [metrics.TopKCategoricalAccuracy(2, name="top"), "categorical_crossentropy"]),
        "indices": lambda: (["accuracy"], [metrics.SparseTopKCategoricalAccuracy(2, name="top"),
                                           "sparse_categorical_accuracy"]),
    }[kind]()
    if case.loss == "binary logits":        # AUC wants probabilities
        second = ["mse", "cosine_similarity"]
    return {"loss": loss, "optimizer": optimizer, "metrics": {"first": first, "second": second}.get(case.metric),
            "weighted_metrics": first if case.metric == "weighted" else None}


def trained(model: Any, library: Any, case: Case, **options: Any) -> dict[str, Any]:
    """What three epochs of two batches, with one of validation, make of the model."""
    xs, y, weights = data(case)
    model.compile(**compiled(library, case), **options)
    train, rest = [x[:2 * BATCH] for x in xs], [x[2 * BATCH:] for x in xs]
    if "sample_weight" in weights:
        weights["sample_weight"] = weights["sample_weight"][:2 * BATCH]
    history = model.fit(train if len(xs) > 1 else train[0], y[:2 * BATCH], batch_size=BATCH, epochs=3, shuffle=False,
                        verbose=0, validation_data=(rest if len(xs) > 1 else rest[0], y[2 * BATCH:]), **weights)
    return {"history": {name: np.asarray(values) for name, values in history.history.items()},
            "weights": [np.asarray(w) for w in model.get_weights()],
            "predictions": np.asarray(model.predict(xs if len(xs) > 1 else xs[0], batch_size=BATCH, verbose=0))}
