# SPDX-License-Identifier: Apache-2.0
"""Model: a graph of layers that can be trained, evaluated, used and saved."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn import optimizers
from fastrnn.callbacks.base import Callback, CallbackList, flatten
from fastrnn.callbacks.history import History
from fastrnn.callbacks.progress import ProgbarLogger
from fastrnn.graph.schedule import Schedule
from fastrnn.layers.network import Network
from fastrnn.layers.table import register, serialize
from fastrnn.saving.writing import load_weights, save_model, save_weights
from fastrnn.training import data, loop
from fastrnn.training.data import ArrayBatches, Batch, Feed, SourceBatches
from fastrnn.training.objective import Objective
from fastrnn.training.summary import print_summary
from fastrnn.training.watch import Watch

_PROBABILITIES = ("softmax", "sigmoid", "hard_sigmoid")


class Model(Network):
    """Layers between inputs and outputs: a graph, with branches, several inputs and outputs, and shared layers.

    Args:
        inputs: symbols as `Input` gives them, alone, in a list, a tuple or a dictionary.
        outputs: symbols that layers gave, in the same way.
        name: name of the model, made up if None.
        trainable: whether `fit` changes the weights.

    Attributes:
        layers: the layers, those of the inputs among them.
        weights, trainable_weights, non_trainable_weights: the variables of all layers, each once.
        history: `History` of the last `fit`.
        stop_training: set it to True in a callback to end a `fit`.

    Raises:
        TypeError: something among inputs or outputs is no symbol.
        ValueError: an output needs an input that is not listed, or two layers share a name.

    Example:

    >>> import numpy as np, fastrnn
    >>> words = fastrnn.Input((None,), dtype="int32", name="words")
    >>> numbers = fastrnn.Input((3,), name="numbers")
    >>> text = fastrnn.layers.LSTM(4)(fastrnn.layers.Embedding(100, 8)(words))
    >>> both = fastrnn.layers.concatenate([text, numbers])
    >>> model = fastrnn.Model([words, numbers], fastrnn.layers.Dense(1)(both))
    >>> model.predict([np.ones((5, 7), int), np.zeros((5, 3))], verbose=0).shape
    (5, 1)
    """

    optimizer: Any = None
    objective: Objective
    history: History | None = None
    stop_training = False
    compiled = False
    _plan: loop.Plan | None = None
    _warned = False
    _watch: Watch                       # of single batches

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, trainable: bool = True) -> None:
        super().__init__(inputs, outputs, name, trainable)

    def _set_graph(self, graph: Any) -> None:
        super()._set_graph(graph)
        self._plan = None

    def forget(self) -> None:
        super().forget()
        self._plan = None

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, loss_weights: Any = None,
                metrics: Sequence[Any] | None = None, weighted_metrics: Sequence[Any] | None = None,
                run_eagerly: bool = False, steps_per_execution: int = 1, jit_compile: bool | str = "auto",
                auto_scale_loss: bool = True) -> None:
        """Choose how the model learns.

        Args:
            optimizer: name (`"adam"`) or instance.
            loss: name (`"categorical_crossentropy"`) or instance.
            loss_weights: not supported: the model has one output, and one loss.
            metrics: names (`["accuracy"]`) or instances. `"accuracy"` is the binary, the categorical or the sparse
                categorical one, as the shapes of targets and outputs ask for.
            weighted_metrics: metrics in which sample weights and class weights count.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: without effect; Keras programs pass them.

        Raises:
            ValueError: an unknown name, of a metric too, or `loss_weights`.
            TypeError: `metrics` is not a list.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.compile(fastrnn.optimizers.Adam(0.01, clipnorm=1.0), "mse", metrics=["mae"])
        >>> model.optimizer.learning_rate, model.loss
        (0.01, 'mse')
        """
        if loss_weights is not None:
            raise ValueError(f"{self}: compile does not support loss_weights, there is one output and one "
                             "loss; use sample_weight")
        chosen, objective = optimizers.get(optimizer), Objective(loss, metrics, weighted_metrics)
        if chosen is None:
            raise ValueError(f"{self}: compile expected an optimizer, got None")
        self.optimizer, self.objective, self.loss = chosen, objective, loss
        self.compiled = True
        self._plan = None
        self._watch = Watch(str(self))

    @property
    def metrics(self) -> list[Any]:
        """The compiled metrics; none before the first batch has shown what names like "accuracy" mean."""
        return self.objective.metrics if self.compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` returns, in its order."""
        return self.objective.names if self.compiled else []

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
            verbose: int | str = "auto", callbacks: Sequence[Callback] | Callback | None = None,
            validation_split: float = 0.0, validation_data: Any = None, shuffle: bool | str = True,
            class_weight: dict[int, float] | None = None, sample_weight: Any = None, initial_epoch: int = 0,
            steps_per_epoch: int | None = None, validation_steps: int | None = None,
            validation_batch_size: int | None = None, validation_freq: int | Sequence[int] = 1) -> History:
        """Train the model.

        Args:
            x: inputs, an array of shape `(samples, ...)`, or a dictionary that has it by the name of the `Input`; or a
                source of batches: a generator, an iterable or an indexed sequence of `(x, y)` or
                `(x, y, sample_weight)`.
            y: targets, one for each sample; None with a source of batches.
            batch_size: samples an update, 32 by default.
            epochs: number of passes, or rather the index of the epoch to stop before (see `initial_epoch`).
            verbose: 0 shows nothing, 1 a progress bar (a line an epoch where the output is no terminal), 2 a line an
                epoch; `"auto"` is 1.
            callbacks: callbacks to call on the way.
            validation_split: part of the samples, the last ones, to evaluate after each epoch and not to train on.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a source of batches to evaluate after each epoch.
            shuffle: draw a new order of the samples for each epoch; `"batch"` only within each batch.
            class_weight: weight in the loss of the samples of each class, by its index; for targets with one class a
                sample, `(samples,)` or one-hot rows.
            sample_weight: weight in the loss of each sample, `(samples,)`, or of each time step, `(samples, time)`.
            initial_epoch: index of the first epoch.
            steps_per_epoch: batches in an epoch, all of them by default.
            validation_steps, validation_batch_size: the same of the validation.
            validation_freq: evaluate after every so many epochs; or the numbers, from 1, of the epochs to do it after.

        Returns:
            The `History`; its `history` has the loss and the metrics of every epoch.

        Raises:
            ValueError, TypeError: the model is not compiled, or an argument does not fit it or the others.

        An error, or an interruption from the keyboard, leaves the model usable, with the weights it had come to.

        A warning says, once, that targets are not finite or outside what the loss is defined for, and in which batch
        and at which layer the loss ceased to be a number.

        Example:

        >>> import numpy as np, fastrnn
        >>> fastrnn.utils.set_random_seed(0)
        >>> x = np.random.default_rng(0).standard_normal((64, 5, 3))
        >>> y = x[:, :, :1].sum(axis=1)
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> history = model.fit(x, y, epochs=3, verbose=0, validation_split=0.25)
        >>> list(history.history), history.epoch
        (['loss', 'val_loss'], [0, 1, 2])
        """
        self._check_compiled("fit")
        epochs = data.check_count(epochs, "fit: epochs", least=0)
        initial_epoch = data.check_count(initial_epoch, "fit: initial_epoch", least=0)
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"fit: expected shuffle to be True, False or 'batch', got {shuffle!r}")
        validates, watch = _validates(validation_freq), Watch("fit")
        validation: Feed | None = None
        if validation_data is not None:
            val_x, val_y, val_weight = data.unpack(validation_data, "fit: validation_data")
        if data.is_source(x):
            if class_weight is not None or sample_weight is not None or (validation_split and validation_data is None):
                raise ValueError("fit: with batches from a source, class_weight, sample_weight and validation_split "
                                 "are not supported; yield (x, y, sample_weight), and pass validation_data")
            feed = self._source_feed(x, y, steps_per_epoch, "fit", watch)
        else:
            samples = self._batch(x, y, sample_weight, "fit", watch, class_weight)
            if validation_split and validation_data is None:
                samples, held_out = data.split(samples, validation_split)
                if class_weight is not None:
                    held_out = held_out._replace(weight=None)  # classes are weighted in training alone
                validation = self._array_feed(held_out, validation_batch_size or batch_size, validation_steps, "fit")
            feed = self._array_feed(samples, batch_size, steps_per_epoch, "fit", shuffle)
        if validation_data is not None:
            validation = self._feed(val_x, val_y, val_weight, validation_batch_size or batch_size, validation_steps,
                                    "fit: validation_data", watch)
        watchers = self._callbacks(callbacks, verbose, epochs, feed.steps, History())
        self.history = next(watcher for watcher in watchers.callbacks if isinstance(watcher, History))
        with _Interruptible(self, watchers):
            loop.fit(self, feed, range(initial_epoch, epochs), watchers, validation, validates, watch)
        return self.history

    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto",
                 sample_weight: Any = None, steps: int | None = None,
                 callbacks: Sequence[Callback] | Callback | None = None,
                 return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """The loss and the metrics over data the model is not trained on.

        Args:
            x: inputs, `(samples, ...)`, or a source of batches; as in `fit`.
            y: targets, one for each sample; None with a source of batches.
            batch_size: samples a batch, 32 by default; results do not depend on it, up to rounding.
            verbose: 0 shows nothing, 1 a progress bar, 2 a line; `"auto"` is 1.
            sample_weight: weight of each sample, `(samples,)`, or of each time step, `(samples, time)`.
            steps: batches to evaluate, all by default.
            callbacks: callbacks to call on the way.
            return_dict: return a dictionary.

        Returns:
            The loss, or if there are metrics the list of the loss and them, or a dictionary of them by name.

        Raises:
            ValueError, TypeError: the model is not compiled, or an argument does not fit it or the others.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.compile("adam", "mse", metrics=["mae"])
        >>> model.evaluate(np.zeros((64, 5, 3)), np.ones((64, 1)), verbose=0, return_dict=True)
        {'loss': 1.0, 'mae': 1.0}
        """
        self._check_compiled("evaluate")
        watch = Watch("evaluate")
        feed = self._feed(x, y, sample_weight, batch_size, steps, "evaluate", watch)
        watchers = self._callbacks(callbacks, verbose, 1, feed.steps)
        with _Interruptible(self, watchers):
            loop.evaluate(self, feed, watchers, watch)
        return self._results(return_dict)

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
                callbacks: Sequence[Callback] | Callback | None = None) -> np.ndarray:
        """The outputs for inputs, computed batch by batch.

        Several Python threads may predict with one model at the same time.

        Args:
            x: inputs, `(samples, ...)`: `(samples, time, features)` where a recurrent layer is first, indices
                `(samples, time)` where an `Embedding` is; or a source of batches, as in `fit`.
            batch_size: samples a batch, 32 by default.
            verbose: 0 shows nothing, 1 a progress bar, 2 a line; `"auto"` is 1.
            steps: batches to predict, all by default.
            callbacks: callbacks to call on the way.

        Returns:
            An array of shape `(samples, ...)`.

        Raises:
            ValueError: inputs that do not fit the model.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.predict(np.zeros((100, 5, 3)), batch_size=50, verbose=0).shape
        (100, 1)
        """
        if data.is_source(x):
            feed, samples = self._source_feed(x, None, steps, "predict", None), None
        else:
            inputs = self.prepare(x)
            if len(inputs[0]) == 0:
                shapes = self.compute_output_shape(*(x.shape for x in inputs))
                every = shapes if isinstance(shapes, list) else [shapes]
                return self.pack([np.zeros([size or 0 for size in shape], self.dtype) for shape in every])
            feed = self._array_feed(Batch(inputs, None, None), batch_size, steps, "predict")
            samples = len(inputs[0]) if steps is None else None
        watchers = self._callbacks(callbacks, verbose, 1, feed.steps)
        with _Interruptible(self, watchers):
            outputs = loop.predict(self, feed, samples, watchers)
        if outputs is None:
            raise ValueError(f"{self}: predict: the source gave no batch")
        return self.pack(outputs)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                       class_weight: dict[int, float] | None = None,
                       return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """Update the weights once, on one batch.

        Args:
            x, y, sample_weight, class_weight: as in `fit`, of one batch.
            return_dict: return a dictionary.

        Returns:
            The loss and the metrics of the batch before the update, as `evaluate` returns them.

        Raises:
            ValueError, TypeError: as in `fit`.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> model.train_on_batch(np.zeros((8, 5, 3)), np.ones((8, 1)))
        1.0
        """
        self._check_compiled("train_on_batch")
        batch = self._batch(x, y, sample_weight, "train_on_batch", self._watch, class_weight)
        self.objective.reset()
        loop.train_step(self, batch)
        return self._results(return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                      return_dict: bool = False) -> float | list[float] | dict[str, float]:
        """The loss and the metrics of one batch; the weights stay as they are.

        Args:
            x, y, sample_weight: as in `evaluate`, of one batch.
            return_dict: return a dictionary.

        Returns:
            As `evaluate`.

        Raises:
            ValueError, TypeError: as in `evaluate`.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> model.test_on_batch(np.zeros((8, 5, 3)), np.ones((8, 1)), return_dict=True)
        {'loss': 1.0}
        """
        self._check_compiled("test_on_batch")
        batch = self._batch(x, y, sample_weight, "test_on_batch", self._watch)
        self.objective.reset()
        loop.test_step(self, batch)
        return self._results(return_dict)

    def predict_on_batch(self, x: Any) -> np.ndarray:
        """The outputs for the inputs of one batch, with the least overhead: the way to serve single requests.

        Several Python threads may predict with one model at the same time.

        Args:
            x: inputs, `(batch, ...)`, as in `predict`; a single sequence is a batch of one, `sequence[None]`.

        Returns:
            An array of shape `(batch, ...)`.

        Raises:
            ValueError: inputs that do not fit the model.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(2)])
        >>> sequence = np.zeros((5, 3), "float32")
        >>> model.predict_on_batch(sequence[None]).shape
        (1, 2)
        """
        return self.pack(self.run(self.prepare(x))[0])

    def summary(self, line_length: int | None = None, positions: Sequence[float] | None = None,
                print_fn: Callable[[str], Any] | None = None) -> None:
        """Print a table of the layers, their output shapes and their numbers of parameters.

        Args:
            line_length: width of the table in characters; None fits it to the terminal.
            positions: where its three columns end: fractions of `line_length`, or numbers of characters.
            print_fn: called with the whole text; None prints it.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)], name="encoder")
        >>> model.summary(line_length=80)
        Model: "encoder"
        ...
        Trainable params: 128 ...
        """
        print_summary(self.name, self._rows(), self.trainable_weights, self.non_trainable_weights, line_length,
                      positions, print_fn)

    def _rows(self) -> list[tuple[Any, Any]]:
        """The layers and the shapes of their outputs, None where they are not known."""
        graph = self.graph
        return [(layer, graph.nodes_of(layer)[0].outputs[0].shape if graph.nodes_of(layer) else layer.batch_shape)
                for layer in graph.layers]

    def to_json(self, **kwargs: Any) -> str:
        """The configuration as a text, of which `models.model_from_json` makes a model with new weights.

        Args:
            kwargs: of `json.dumps`.

        Example:

        >>> import fastrnn
        >>> fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)]).to_json()[:47]
        '{"module": "keras", "class_name": "Sequential",'
        """
        return json.dumps(serialize(self), **kwargs)

    # -- files --------------------------------------------------------------------------------------------------------

    def save(self, filepath: Any, overwrite: bool = True, include_optimizer: bool = True) -> None:
        """Save the whole model; see `fastrnn.saving.save_model`."""
        save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights alone; see `fastrnn.saving.save_weights`."""
        save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any) -> None:
        """Take the weights of a file; see `fastrnn.saving.load_weights`."""
        load_weights(self, filepath)

    def plan(self) -> loop.Plan:
        """What a training step needs to know of the model, gathered anew after each `compile`."""
        if self._plan is None:
            schedule = Schedule(self.graph, frozen=True, trainable=self.trainable)
            self._plan = loop.Plan(
                schedule=schedule,
                variables=schedule.variables,
                regularized=[layer for layer in self.sublayers()
                             if any(v.regularizer is not None for v in layer.weights)],
                fused=self._fuses(schedule),
            )
        return self._plan

    def _fuses(self, schedule: Schedule) -> bool:
        """Whether the loss is fused with the last activation; warns once if it cannot make sense of what it gets."""
        loss: Any = self.objective.loss
        last = schedule.maker(0)
        activation = None if last is None else last.output_activation
        if getattr(loss, "wants_probabilities", False) and activation not in _PROBABILITIES and not self._warned:
            self._warned = True
            warnings.warn(f"{self}: loss {loss.name!r} expects probabilities, but the last layer "
                          f"'{self.outputs[0].name}' ends in activation {activation or 'linear'!r}; give it activation "
                          "'softmax' or 'sigmoid', or the loss from_logits=True", stacklevel=5)
        fused = getattr(loss, "fused_activation", None)
        return fused is not None and fused == activation and schedule.fuse(0)

    def _batch(self, x: Any, y: Any, weight: Any, who: str, watch: Watch,
               class_weight: dict[int, float] | None = None) -> Batch:
        """Check and convert inputs, targets and weights that belong together."""
        xs = self.prepare(x)
        samples = len(xs[0])
        if samples == 0:
            raise ValueError(f"{who}: x has no samples: its shape is {xs[0].shape}")
        if y is None:
            raise ValueError(f"{who}: y is missing; pass the targets of x")
        y = data.as_targets(y, self.objective.wants_indices, self.dtype, f"{who}: y")
        data.check_length(samples, y, f"{who}: y")
        output_shape = self.compute_output_shape(*(x.shape for x in xs))
        if class_weight is not None:
            if weight is not None:
                raise ValueError(f"{who}: pass class_weight or sample_weight, not both")
            weight = data.class_weights(class_weight, y, self.dtype, f"{who}: class_weight", len(output_shape) > 2)
        elif weight is not None:
            weight = data.as_weights(weight, samples, self.dtype, f"{who}: sample_weight")
        self.objective.bind(y.shape, output_shape)
        watch.targets(y, self.objective.loss, f"{who}: y")
        return Batch(xs, y, weight)

    def _feed(self, x: Any, y: Any, weight: Any, batch_size: int | None, steps: int | None, who: str,
              watch: Watch) -> Feed:
        if data.is_source(x):
            if weight is not None:
                raise ValueError(f"{who}: with batches from a source, yield (x, y, sample_weight)")
            return self._source_feed(x, y, steps, who, watch)
        return self._array_feed(self._batch(x, y, weight, who, watch), batch_size, steps, who)

    def _array_feed(self, samples: Batch, batch_size: int | None, steps: int | None, who: str,
                    shuffle: bool | str = False) -> Feed:
        if steps is not None:
            data.check_count(steps, f"{who}: number of steps")
        if batch_size is None:
            batch_size = 32 if steps is None else -(-len(samples.x[0]) // steps)
        data.check_count(batch_size, f"{who}: batch_size")
        if self.stateful:
            self._check_batches(len(samples.x[0]), batch_size, steps, who)
        return Feed(ArrayBatches(samples, batch_size, shuffle), steps)

    def _check_batches(self, samples: int, batch_size: int, steps: int | None, who: str) -> None:
        """Refuse what would come half-way to a batch of another size than the states have by then."""
        self.check_batch(min(samples, batch_size))
        left = samples % batch_size
        if left and samples > batch_size and (steps is None or steps * batch_size > samples):
            raise ValueError(f"{who}: {self} is stateful: expected whole batches of {batch_size}, got {samples}; "
                             f"leave out {left} of them, or pass another batch_size")

    def _source_feed(self, source: Any, y: Any, steps: int | None, who: str, watch: Watch | None) -> Feed:
        """Batches from a source, which yields targets too if there is something to watch them."""
        if y is not None:
            raise ValueError(f"{who}: y must be None where x is a source of batches; it yields (x, y)")
        if steps is not None:
            data.check_count(steps, f"{who}: number of steps")

        def convert(x: Any, y: Any, weight: Any) -> Batch:
            if watch is not None:
                return self._batch(x, y, weight, who, watch)
            return Batch(self.prepare(x), None, None)

        return Feed(SourceBatches(source, convert), steps)

    def _callbacks(self, given: Any, verbose: int | str, epochs: int, steps: int | None,
                   *more: Callback) -> CallbackList:
        """The callbacks given, those of `more` whose kind is not among them, and the progress bar, last."""
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {verbose!r}")
        verbose = 1 if verbose == "auto" else int(verbose)
        callbacks = flatten(given)
        defaults = [*more, ProgbarLogger()] if verbose else [*more]
        callbacks += [default for default in defaults if not any(isinstance(c, type(default)) for c in callbacks)]
        return CallbackList(callbacks, self, {"verbose": verbose, "epochs": epochs, "steps": steps})

    def _results(self, return_dict: bool) -> float | list[float] | dict[str, float]:
        if return_dict:
            return self.objective.logs()
        values = self.objective.values()
        return values if len(values) > 1 else values[0]

    def _check_compiled(self, who: str) -> None:
        if not self.compiled:
            raise ValueError(f"{self}: call compile(optimizer, loss) before {who}")
        if not self.objective.has_loss:
            raise ValueError(f"{self}: {who} needs a loss; pass one to compile")


register(Model)
register(Model, "Functional")


class _Interruptible:
    """Leaves the model usable, and the screen in order, when an error or an interruption ends a run half-way."""

    def __init__(self, model: Model, callbacks: CallbackList) -> None:
        self._model = model
        self._callbacks = callbacks

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            return
        for variable in self._model.weights:
            variable.touch()  # the optimizer may have written weights that their layer has not packed again
        for callback in self._callbacks.callbacks:
            if isinstance(callback, ProgbarLogger):
                callback.close()


def _validates(frequency: Any) -> Callable[[int], bool]:
    """Whether to evaluate after the epoch of an index, by `validation_freq`."""
    if isinstance(frequency, (list, tuple, set)):
        return lambda epoch: epoch + 1 in frequency
    every = data.check_count(frequency, "fit: validation_freq")
    return lambda epoch: (epoch + 1) % every == 0
