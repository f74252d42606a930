# SPDX-License-Identifier: Apache-2.0
"""Keras on its backends, and fastrnn, which takes the same programs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from cases import REVIEWS, STRINGS, Case
from workloads import Engine, charcopy_data, sentiment_data, sequences


class KerasLike(Engine):
    """What Keras and fastrnn share: models. `module` is `keras` or `fastrnn`."""

    module: Any
    compile_options: dict[str, Any] = {}    # noqa: RUF012

    def layer(self, case: Case) -> Any:
        layers = self.module.layers
        cell = {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN}[case.cell]
        # An orthogonal matrix takes seconds to make for a wide layer, and makes no difference here.
        layer = cell(case.H, return_sequences=True, recurrent_initializer="glorot_uniform")
        layer.build((case.N, case.T, case.D))
        return layer

    def model(self, case: Case) -> Any:
        layers, whole = self.module.layers, case.kind == "program"
        if case.model == "charcopy":
            stack = [self.module.Input((None, case.D)), layers.SimpleRNN(case.H, return_sequences=True),
                     layers.Dense(case.O, activation="softmax")]
            loss, metrics = "categorical_crossentropy", ["accuracy"] if whole else None
        else:
            stack = [self.module.Input((case.T,), dtype="int32"), layers.Embedding(10000, case.D),
                     layers.LSTM(case.H, dropout=0.2, recurrent_dropout=0.2 if whole else 0.0),
                     layers.Dense(1, activation="sigmoid")]
            loss, metrics = "binary_crossentropy", ["accuracy"]
        model = self.module.Sequential(stack)
        model.compile(loss=loss, optimizer="adam", metrics=metrics, **self.compile_options)
        return model

    def fit(self, case: Case) -> Callable[[], Any]:
        model = self.model(case)
        x, y = (charcopy_data if case.model == "charcopy" else sentiment_data)(case.N)
        return lambda: model.train_on_batch(x, y)

    def predict(self, case: Case) -> Callable[[], Any]:
        model = self.model(case)
        x, _ = (charcopy_data if case.model == "charcopy" else sentiment_data)(case.N)
        return lambda: model.predict_on_batch(x)

    def program(self, case: Case, epochs: int) -> list[float]:
        times: list[float] = []

        class Watch(self.module.callbacks.Callback):  # type: ignore[name-defined, misc]
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                self.start = time.perf_counter()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                times.append(time.perf_counter() - self.start)

        if case.model == "charcopy":
            (x, y), validation = charcopy_data(STRINGS), charcopy_data(STRINGS)
        else:
            (x, y), validation = sentiment_data(REVIEWS), None
        self.model(case).fit(x, y, batch_size=case.N, epochs=epochs, validation_data=validation, verbose=0,
                             callbacks=[Watch()])
        return times


class FastRnn(KerasLike):
    def __init__(self, threads: int) -> None:
        import fastrnn

        self.module = fastrnn
        fastrnn.set_num_threads(threads)

    def versions(self) -> str:
        from fastrnn import _core

        return f"fastrnn {self.module.__version__} ({_core.isa})"

    def forward(self, case: Case) -> Callable[[], Any]:
        layer, x = self.layer(case), sequences(case.N, case.T, case.D)
        return lambda: layer(x)

    def train(self, case: Case) -> Callable[[], Any]:
        layer, x, dy = self.layer(case), sequences(case.N, case.T, case.D), sequences(case.N, case.T, case.H)

        def run() -> None:
            layer(x, training=True)
            layer.backward(dy)

        return run


class KerasTensorFlow(KerasLike):
    """Keras on TensorFlow, as graphs."""

    xla = False

    def __init__(self, threads: int) -> None:
        os.environ["KERAS_BACKEND"] = "tensorflow"
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
        import keras

        self.tf, self.module = tensorflow, keras
        self.compile_options = {"jit_compile": self.xla}

    def versions(self) -> str:
        version = f"Keras {self.module.__version__} on TensorFlow {self.tf.__version__}"
        return version + (" with XLA" if self.xla else "")

    def forward(self, case: Case) -> Callable[[], Any]:
        layer, x = self.layer(case), self.tf.constant(sequences(case.N, case.T, case.D))
        function = self.tf.function(lambda x: layer(x), jit_compile=self.xla)
        return lambda: function(x).numpy()

    def train(self, case: Case) -> Callable[[], Any]:
        tf, layer = self.tf, self.layer(case)
        x, dy = (tf.constant(sequences(case.N, case.T, width)) for width in (case.D, case.H))

        def step(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x)
            return tape.gradient(y, [x, *(v.value for v in layer.trainable_variables)], output_gradients=dy)

        function = tf.function(step, jit_compile=self.xla)
        return lambda: function(x)[0].numpy()


class KerasTensorFlowXla(KerasTensorFlow):
    """The same, compiled by XLA."""

    xla = True


class KerasJax(KerasLike):
    """Keras on JAX, which always compiles by XLA."""

    def __init__(self, threads: int) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax
        import keras

        self.jax, self.module = jax, keras

    def versions(self) -> str:
        return f"Keras {self.module.__version__} on JAX {self.jax.__version__}"

    def _stateless(self, case: Case) -> tuple[Any, Callable[[Any, Any], Any]]:
        layer = self.layer(case)
        fixed = [v.value for v in layer.non_trainable_variables]
        weights = [v.value for v in layer.trainable_variables]
        return weights, lambda weights, x: layer.stateless_call(weights, fixed, x)[0]

    def forward(self, case: Case) -> Callable[[], Any]:
        weights, call = self._stateless(case)
        function, x = self.jax.jit(call), self.jax.numpy.asarray(sequences(case.N, case.T, case.D))
        return lambda: function(weights, x).block_until_ready()

    def train(self, case: Case) -> Callable[[], Any]:
        jax, (weights, call) = self.jax, self._stateless(case)
        x, dy = (jax.numpy.asarray(sequences(case.N, case.T, width)) for width in (case.D, case.H))
        gradient = jax.jit(jax.grad(lambda weights, x, dy: jax.numpy.vdot(call(weights, x), dy), argnums=(0, 1)))
        return lambda: jax.block_until_ready(gradient(weights, x, dy))
