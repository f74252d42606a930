# SPDX-License-Identifier: Apache-2.0
"""Model: a graph of layers that can be trained, evaluated, used and saved."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastrnn import optimizers, ranks, saving, spellings
from fastrnn.callbacks.base import Callback
from fastrnn.callbacks.history import History
from fastrnn.callbacks.running import Interruptible, callbacks_of
from fastrnn.graph import eager
from fastrnn.graph.blueprint import is_functional
from fastrnn.layers.base import Layer
from fastrnn.layers.network import Network
from fastrnn.layers.own import Own
from fastrnn.layers.table import register, serialize
from fastrnn.models.subclassed import Subclassed
from fastrnn.models.summary import Row, rows_of, summary_lines
from fastrnn.saving.writing import load_weights, save_model, save_weights
from fastrnn.serving.frozen import FOLD_BYTES, Frozen
from fastrnn.spellings import OlderMethods, accepts
from fastrnn.training import arguments, loop
from fastrnn.training.added import Added
from fastrnn.training.alone import team
from fastrnn.training.data import Slices, check_count, is_source, on_disk
from fastrnn.training.feeds import Batch
from fastrnn.training.inner import adds_losses
from fastrnn.training.objective import Objective
from fastrnn.training.outputs import Outputs
from fastrnn.training.plan import Plan, make_plan
from fastrnn.training.watch import Watch

Results = float | list[float] | dict[str, float]


class Model(OlderMethods, Network):
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
    first_epoch = 0
    compiled = False
    added = Added()                     # of the models that add nothing
    warned: frozenset[int] = frozenset()    # outputs that a warning was given of
    _subclassed = False                 # a `call` of the user's own takes the place of a graph
    _plan: Plan | None = None
    _shapes: tuple[Any, Any] = (None, None)     # of the last batch's inputs and outputs
    _watch: Watch                       # of single batches

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in vars(cls) and vars(cls).get("forward") is Own.forward:
            cls._subclassed = True
            for name, value in vars(Subclassed).items():
                if not name.startswith("__") and name not in vars(cls):
                    setattr(cls, name, value)

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True,
                 **kwargs: Any) -> None:
        if self._subclassed and inputs is None and outputs is None:
            Layer.__init__(self, name=name, trainable=trainable, **kwargs)
            self._set_graph(None)
        else:
            super().__init__(inputs, outputs, name, trainable, **kwargs)

    def _set_graph(self, graph: Any) -> None:
        super()._set_graph(graph)
        self._plan, self._shapes = None, (None, None)

    def forget(self) -> None:
        super().forget()
        self._plan, self._shapes = None, (None, None)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if self._subclassed:            # whose graph is of itself: it is known again when an input comes
            state = {**state, "_graph": None}
        return {**self.added.packed(state), "_packed": True} if self.added else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        packed = state.pop("_packed", False)
        super().__setstate__(state["added"].unpacked(state) if packed else state)

    @accepts(spellings.COMPILE)
    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, loss_weights: Any = None, metrics: Any = None,
                weighted_metrics: Any = None, run_eagerly: bool = False, steps_per_execution: int = 1,
                jit_compile: bool | str = "auto", auto_scale_loss: bool = True) -> None:
        """Choose how the model learns.

        Args:
            optimizer: name (`"adam"`) or instance.
            loss: name (`"categorical_crossentropy"`) or instance. Of several outputs one for all, or a list or a
                dictionary by name with one for each; an output whose loss is None is not trained on.
            loss_weights: factors of the outputs' losses in the model's, in the same way; 1 by default.
            metrics: a list of names (`["accuracy"]`) and instances; of several outputs a list or a dictionary with, for
                each, one of them or a list. `"accuracy"` is the binary, the categorical or the sparse categorical one,
                as the shapes of targets and outputs ask for.
            weighted_metrics: metrics in which sample weights and class weights count, in the same way.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: without effect; Keras programs pass them.

        Raises:
            ValueError: an unknown name, of a metric too; or what is given does not fit the outputs: names them.
            TypeError: `metrics` is neither a list nor a dictionary, or a loss weight is no number.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.compile(fastrnn.optimizers.Adam(0.01, clipnorm=1.0), "mse", metrics=["mae"])
        >>> model.optimizer.learning_rate, model.loss
        (0.01, 'mse')
        """
        chosen = optimizers.get(optimizer)
        if chosen is None:
            raise ValueError(f"{self}: compile expected an optimizer, got None")
        self._given = loss, metrics, weighted_metrics, loss_weights
        self._make_objective()
        self.optimizer, self.loss = chosen, loss
        self.compiled = True
        self._plan = None
        self._watch = Watch(str(self))

    def _make_objective(self) -> None:
        """The losses and metrics of the outputs that the model has."""
        objective = Objective(*self._given, self._named_outputs())
        for metric in self.added.metrics:
            objective.add(metric)
        self.objective = objective

    def _named_outputs(self) -> Outputs | None:
        """The outputs as losses and metrics are given for them; None where they are not known before the model is
        built, when there is one."""
        return None if self._graph is None else Outputs(self.output_names, self.graph.output_structure)

    def add_loss(self, loss: Any) -> None:
        """Add the mean of an array that the graph makes to the loss, in training and in evaluation.

        A model with such a loss needs no other. What is added is not saved with the model.

        Args:
            loss: a symbol, made of symbols between the model's inputs and its outputs by layers without weights or by
                the model's own.

        Raises:
            TypeError: it is no symbol.
            ValueError: it needs other inputs, or other layers with weights, than the model has.

        Example:

        >>> import numpy as np, fastrnn
        >>> x = fastrnn.Input((3,))
        >>> code = fastrnn.layers.Dense(2, kernel_initializer="ones")(x)
        >>> model = fastrnn.Model(x, code)
        >>> model.add_loss(code)
        >>> model.compile("sgd")
        >>> model.evaluate(np.ones((4, 3)), verbose=0)
        3.0
        """
        if eager.current() is not None:
            super().add_loss(loss)
            return
        self.added = self.added.with_loss(self, loss)
        self._plan = None

    def add_metric(self, value: Any, name: str, aggregation: str = "mean") -> None:
        """Show the mean of an array that the graph makes among the metrics.

        Args:
            value: a symbol, as in `add_loss`.
            name: in the logs.
            aggregation: "mean", or "sum" over all samples.

        Raises:
            TypeError, ValueError: as `add_loss`, or there is such a metric already.
        """
        self.added = self.added.with_metric(self, value, name, aggregation)
        self._plan = None
        if self.compiled:
            self.objective.add(self.added.metrics[-1])

    @property
    def metrics(self) -> list[Any]:
        """The compiled metrics; none before the first batch has shown what names like "accuracy" mean."""
        return self.objective.metrics if self.compiled else []

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` returns, in its order."""
        return self.objective.names if self.compiled else []

    @accepts(spellings.FIT)
    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
            verbose: int | str = "auto", callbacks: Sequence[Callback] | Callback | None = None,
            validation_split: float = 0.0, validation_data: Any = None, shuffle: bool | str = True,
            class_weight: dict[int, float] | None = None, sample_weight: Any = None, initial_epoch: int = 0,
            steps_per_epoch: int | None = None, validation_steps: int | None = None,
            validation_batch_size: int | None = None, validation_freq: int | Sequence[int] = 1) -> History:
        """Train the model.

        Args:
            x: inputs, an array of shape `(samples, ...)`; several in a list, or in a dictionary by the names of the
                `Input`s; or a source of batches `(x, y)` or `(x, y, sample_weight)`: a generator, an iterable, a
                `PyDataset` or another sequence of them, TensorFlow's `Dataset` or PyTorch's `DataLoader`.
            y: targets, one for each sample; of several outputs a list, a dictionary by name, or what has the structure
                of the outputs. An output without a loss and metrics needs none. None with a source of batches.
            batch_size: samples an update, 32 by default.
            epochs: number of passes, or rather the index of the epoch to stop before (see `initial_epoch`).
            verbose: 0 shows nothing, 1 a progress bar (a line an epoch where the output is no terminal), 2 a line an
                epoch; `"auto"` is 1.
            callbacks: callbacks to call on the way.
            validation_split: part of the samples, the last ones, to evaluate after each epoch and not to train on.
            validation_data: `(x, y)`, `(x, y, sample_weight)` or a source of batches to evaluate after each epoch.
            shuffle: draw a new order of the samples, or of a sequence's batches, for each epoch; `"batch"` only within
                each batch. Other sources keep their order.
            class_weight: weight in the loss of the samples of each class, by its index; for targets with one class a
                sample, `(samples,)` or one-hot rows, of a model with one output.
            sample_weight: weight in the loss of each sample, `(samples,)`, or of each time step, `(samples, time)`; for
                all outputs, or for each in a list or a dictionary by name.
            initial_epoch: index of the first epoch.
            steps_per_epoch: batches in an epoch, all of them by default. An epoch goes on where the last one stopped;
                where the data end before it, so does it, with a warning, and a generator's end is that of the training.
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
        with team().agreement("fit", self):
            run = arguments.fit_arguments(
                self, x, y, batch_size, epochs, validation_split, validation_data, shuffle, class_weight, sample_weight,
                initial_epoch, steps_per_epoch, validation_steps, validation_batch_size, validation_freq)
        watchers = callbacks_of(self, callbacks, verbose, epochs, run.feed.steps, History())
        self.history = next(watcher for watcher in watchers.callbacks if isinstance(watcher, History))
        with Interruptible(self, watchers):
            loop.fit(self, run, watchers)
        return self.history

    @accepts(spellings.EVALUATE)
    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int | str = "auto",
                 sample_weight: Any = None, steps: int | None = None,
                 callbacks: Sequence[Callback] | Callback | None = None,
                 return_dict: bool = False) -> Results:
        """The loss and the metrics over data the model is not trained on.

        Args:
            x, y: inputs and targets, or a source of batches; as in `fit`.
            batch_size: samples a batch, 32 by default; results do not depend on it, up to rounding.
            verbose: 0 shows nothing, 1 a progress bar, 2 a line; `"auto"` is 1.
            sample_weight: as in `fit`.
            steps: batches to evaluate, all by default.
            callbacks: callbacks to call on the way.
            return_dict: return a dictionary.

        Returns:
            The loss, or if there are metrics or several losses the list of them in the order of `metrics_names`, or a
            dictionary of them by name.

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
        with team().agreement("evaluate", self):
            feed = arguments.feed_of(self, x, y, sample_weight, batch_size, steps, "evaluate", watch)
        watchers = callbacks_of(self, callbacks, verbose, 1, feed.steps)
        with Interruptible(self, watchers):
            loop.evaluate(self, feed, watchers, watch)
        return self._results(return_dict)

    @accepts(spellings.EVALUATE)
    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
                callbacks: Sequence[Callback] | Callback | None = None) -> Any:
        """The outputs for inputs, computed batch by batch.

        Several Python threads may predict with one model at the same time.

        Args:
            x: inputs, `(samples, ...)`: `(samples, time, features)` where a recurrent layer is first, indices
                `(samples, time)` where an `Embedding` is; several, or a source of batches, as in `fit`.
            batch_size: samples a batch, 32 by default.
            verbose: 0 shows nothing, 1 a progress bar, 2 a line; `"auto"` is 1.
            steps: batches to predict, all by default.
            callbacks: callbacks to call on the way.

        Returns:
            An array of shape `(samples, ...)`; of several outputs the structure of them that the model was made with.

        Raises:
            ValueError: inputs that do not fit the model.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> model.predict(np.zeros((100, 5, 3)), batch_size=50, verbose=0).shape
        (100, 1)
        """
        with team().agreement("predict", self):
            if on_disk(x):
                x = Slices(x, None, None, check_count(batch_size or 32, "predict: batch_size"), "predict")
            if is_source(x):
                feed, samples = arguments.source_feed(self, x, None, steps, "predict", None), None
            else:
                inputs = self.prepare(x)
                if len(inputs[0]) == 0:
                    shapes = self.compute_output_shape(*(x.shape for x in inputs))
                    every = shapes if isinstance(shapes, list) else [shapes]
                    return self.pack([np.zeros([size or 0 for size in shape], self.dtype) for shape in every])
                feed = arguments.array_feed(self, Batch(inputs, (), ()), batch_size, steps, "predict")
                samples = len(inputs[0]) if steps is None else None
        watchers = callbacks_of(self, callbacks, verbose, 1, feed.steps)
        with Interruptible(self, watchers):
            outputs = loop.predict(self, feed, samples, watchers)
        if outputs is None:
            raise ValueError(f"{self}: predict: the source gave no batch")
        return self.pack(outputs)

    @accepts({})
    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                       class_weight: dict[int, float] | None = None,
                       return_dict: bool = False) -> Results:
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
        workers = team()
        with workers.agreement("train_on_batch", self):
            batch = arguments.batch_of(self, x, y, sample_weight, "train_on_batch", self._watch, class_weight)
        workers.reset(self.objective)
        workers.train_step(self, workers.share(self, batch))
        workers.total(self.objective)
        return self._results(return_dict)

    @accepts({})
    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None,
                      return_dict: bool = False) -> Results:
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
        workers = team()
        with workers.agreement("test_on_batch", self):
            batch = arguments.batch_of(self, x, y, sample_weight, "test_on_batch", self._watch)
        workers.reset(self.objective)
        workers.test_step(self, workers.share(self, batch))
        workers.total(self.objective)
        return self._results(return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for the inputs of one batch, with the least overhead: the way to serve single requests.

        Several Python threads may predict with one model at the same time.

        Args:
            x: inputs, `(batch, ...)`, as in `predict`; a single sequence is a batch of one, `sequence[None]`.

        Returns:
            An array of shape `(batch, ...)`; of several outputs as `predict`.

        Raises:
            ValueError: inputs that do not fit the model.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(2)])
        >>> sequence = np.zeros((5, 3), "float32")
        >>> model.predict_on_batch(sequence[None]).shape
        (1, 2)
        """
        y = self.direct(x)
        return y if y is not None else self.pack(self.run(self.prepare(x))[0])

    def freeze(self, precision: str = "float32", fold_bytes: int = FOLD_BYTES) -> Frozen:
        """The model as it is now, for inference alone: faster, and with streams that carry their states.

        Args:
            precision: of weights and products; see `fastrnn.serving.Frozen`.
            fold_bytes: memory that tables of `Embedding` layers may take, folded into the layers above them.

        Raises:
            ValueError: the model is not built, or an argument is none of these.

        Example:

        >>> import numpy as np, fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(8), fastrnn.layers.Dense(1)])
        >>> stream = model.freeze().stream()
        >>> stream.step(np.zeros((1, 3), "float32")).shape
        (1, 1)
        """
        return Frozen(self, precision, fold_bytes)

    def summary(self, line_length: int | None = None, positions: Sequence[float] | None = None,
                print_fn: Callable[[str], Any] | None = None) -> None:
        """Print a table of the layers, their output shapes and their numbers of parameters.

        Args:
            line_length: width of the table in characters; None fits it to the terminal.
            positions: where its columns end, three, or four where layers are not in a line: fractions of
                `line_length`, or numbers of characters.
            print_fn: called with the whole text; None prints it.

        Example:

        >>> import fastrnn
        >>> model = fastrnn.Sequential([fastrnn.Input((None, 3)), fastrnn.layers.LSTM(4)], name="encoder")
        >>> model.summary(line_length=80)
        Model: "encoder"
        ...
        Trainable params: 128 ...
        """
        if print_fn is None and not ranks.is_first():
            return
        (print_fn or print)("\n".join(self._summary(line_length, positions)))

    def _summary(self, line_length: int | None = None, positions: Sequence[float] | None = None) -> list[str]:
        return summary_lines(self.name, self._rows(), self.trainable_weights, self.non_trainable_weights, line_length,
                             positions)

    def _rows(self) -> list[Row]:
        """What the summary says of each layer."""
        return rows_of(self.graph)

    def _repr_html_(self) -> str:
        """The summary, for notebooks."""
        import html  # which only a notebook needs

        return f"<pre>{html.escape(chr(10).join(self._summary(100)))}</pre>"

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self) if self._subclassed else super().get_config()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        if cls._subclassed and not is_functional(config):
            return cls(**config)
        return super().from_config(config, custom_objects)

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

    def export(self, filepath: Any, format: str = "tf_saved_model", verbose: bool | None = None,
               input_signature: Any = None) -> None:
        """Write the model for other programs to predict with: as ONNX alone, see `fastrnn.saving.export_onnx`.

        Args:
            filepath: of the file.
            format: "onnx". Keras's other formats hold TensorFlow's, OpenVINO's, LiteRT's or PyTorch's programs.
            verbose, input_signature: without effect; Keras programs pass them.

        Raises:
            ValueError: another format; it says how to come to one.
            ImportError: the package onnx is not installed.
        """
        if format != "onnx":
            raise ValueError(f"{self}: export expected format='onnx', got {format!r}, which only the library that it "
                             "belongs to writes; save the model as a .keras file, and export what keras.saving."
                             "load_model gives")
        saving.export_onnx(self, filepath)

    # -- what the training asks -------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """What a training step needs to know of the model, gathered anew after each `compile`."""
        if self._plan is None:
            self._plan = make_plan(self)
        return self._plan

    def output_shapes(self, xs: Sequence[np.ndarray]) -> list[Any]:
        """The shape of each output for these inputs; as long as the inputs' shapes stay, so do these."""
        shapes = [x.shape for x in xs]
        of, known = self._shapes
        if shapes != of:
            made = self.compute_output_shape(*shapes)
            known = made if isinstance(made, list) else [made]
            self._shapes = shapes, known
        return known

    def _results(self, return_dict: bool) -> Results:
        if return_dict:
            return self.objective.logs()
        values = self.objective.values()
        return values if len(values) > 1 else values[0]

    def _check_compiled(self, who: str) -> None:
        if not self.compiled:
            raise ValueError(f"{self}: call compile(optimizer, loss) before {who}")
        if not (self.objective.has_loss or self.added.losses or self._subclassed
                or (self._graph is not None and adds_losses(self._graph))):
            raise ValueError(f"{self}: {who} needs a loss; pass one to compile")


spellings.accept(Model)
register(Model)
register(Model, "Functional")
