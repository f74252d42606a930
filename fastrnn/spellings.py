# SPDX-License-Identifier: Apache-2.0
"""The words of Keras 1 and 2, which programs on the web are full of, and what they are called today.

Everything is in the tables: modules, names in them, and keywords. A word is here if its meaning is certain.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

#: Where the names of an older module are now, the first that has a name wins. Paths begin after the package's name.
MODULES: dict[str, tuple[str, ...]] = {
    **{f"layers.{name}": ("layers",) for name in (
        "activation", "advanced_activations", "attention", "convolution", "convolutional", "core", "cudnn_recurrent",
        "embeddings", "experimental", "experimental.preprocessing", "local", "merge", "merging", "noise",
        "normalization", "pooling", "preprocessing", "recurrent", "regularization", "reshaping", "rnn", "shape",
        "wrappers")},
    "engine": ("layers", "models"),
    "engine.base_layer": ("layers",),
    "engine.functional": ("models",),
    "engine.input_layer": ("layers",),
    "engine.network": ("models",),
    "engine.saving": ("saving",),
    "engine.sequential": ("models",),
    "engine.topology": ("layers", "models"),
    "engine.training": ("models",),
    "initializations": ("initializers",),
    "objectives": ("losses",),
    "optimizers.optimizer_v1": ("optimizers",),
    "optimizers.optimizer_v2": ("optimizers",),
    **{f"utils.{name}": ("utils", "layers") for name in (
        "conv_utils", "data_utils", "generic_utils", "io_utils", "layer_utils", "np_utils", "vis_utils",
        "visualize_util")},
}

#: Older names in a module; after a colon, where the module is another.
NAMES: dict[str, dict[str, str]] = {
    "constraints": {"max_norm": "MaxNorm", "maxnorm": "MaxNorm", "min_max_norm": "MinMaxNorm", "non_neg": "NonNeg",
                    "nonneg": "NonNeg", "unit_norm": "UnitNorm", "unitnorm": "UnitNorm"},
    "initializers": {"normal": "RandomNormal", "one": "Ones", "uniform": "RandomUniform", "zero": "Zeros"},
    "layers": {
        "AtrousConvolution1D": "Conv1D", "AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D",
        "Convolution1D": "Conv1D", "Convolution1DTranspose": "Conv1DTranspose", "Convolution2D": "Conv2D",
        "GlobalAvgPool1D": "GlobalAveragePooling1D", "GlobalAvgPool2D": "GlobalAveragePooling2D",
        "GlobalMaxPool1D": "GlobalMaxPooling1D", "GlobalMaxPool2D": "GlobalMaxPooling2D", "MaxPool1D": "MaxPooling1D",
        "MaxPool2D": "MaxPooling2D", "Merge": "spellings:Merge", "Model": "models:Model",
        "SeparableConvolution1D": "SeparableConv1D", "Sequential": "models:Sequential", "TimeDistributedDense": "Dense",
    },
    "models": {"Functional": "Model", "Input": "layers:Input"},
    "preprocessing": {"text_dataset_from_directory": "utils:text_dataset_from_directory",
                      "timeseries_dataset_from_array": "utils:timeseries_dataset_from_array"},
    "regularizers": {"WeightRegularizer": "L1L2", "activity_l1": "L1", "activity_l1l2": "L1L2", "activity_l2": "L2",
                     "l1": "L1", "l1_l2": "L1L2", "l1l2": "L1L2", "l2": "L2",
                     "orthogonal_regularizer": "OrthogonalRegularizer"},
    "utils": {"plot": "plot_model"},
}

_WEIGHTS = {"init": "kernel_initializer", "W_regularizer": "kernel_regularizer", "W_constraint": "kernel_constraint",
            "b_regularizer": "bias_regularizer", "b_constraint": "bias_constraint", "bias": "use_bias"}
_CELL = {**_WEIGHTS, "output_dim": "units", "inner_init": "recurrent_initializer",
         "U_regularizer": "recurrent_regularizer", "dropout_W": "dropout", "dropout_U": "recurrent_dropout",
         "consume_less": "implementation"}
_GATED_CELL = {**_CELL, "inner_activation": "recurrent_activation"}
_CONVOLUTION = {**_WEIGHTS, "nb_filter": "filters", "border_mode": "padding"}
_CONVOLUTION_1D = {**_CONVOLUTION, "filter_length": "kernel_size", "subsample_length": "strides",
                   "atrous_rate": "dilation_rate"}
_CONVOLUTION_2D = {**_CONVOLUTION, "subsample": "strides", "dim_ordering": "data_format",
                   "atrous_rate": "dilation_rate"}
_POOLING_1D = {"pool_length": "pool_size", "stride": "strides", "border_mode": "padding"}
_POOLING_2D = {"border_mode": "padding", "dim_ordering": "data_format"}

#: Older keywords of a class, by what they are now.
KEYWORDS: dict[str, dict[str, str]] = {
    "AveragePooling1D": _POOLING_1D, "AveragePooling2D": _POOLING_2D,
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "Conv1D": _CONVOLUTION_1D, "Conv2D": _CONVOLUTION_2D,
    "Dense": {**_WEIGHTS, "output_dim": "units"},
    "Dropout": {"p": "rate"},
    "Embedding": {"init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer",
                  "W_constraint": "embeddings_constraint"},
    "GRU": _GATED_CELL, "GaussianDropout": {"p": "rate"}, "GaussianNoise": {"sigma": "stddev"},
    "LSTM": {**_GATED_CELL, "forget_bias_init": "unit_forget_bias"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "MaxPooling1D": _POOLING_1D, "MaxPooling2D": _POOLING_2D,
    "Model": {"input": "inputs", "output": "outputs"},
    "PReLU": {"init": "alpha_initializer"},
    "SimpleRNN": _CELL, "SpatialDropout1D": {"p": "rate"}, "SpatialDropout2D": {"p": "rate"},
    "UpSampling1D": {"length": "size"}, "UpSampling2D": {"dim_ordering": "data_format"},
}

_QUEUE = dict.fromkeys(("max_q_size", "max_queue_size", "nb_worker", "pickle_safe", "use_multiprocessing", "workers"),
                       "")
#: Older keywords of the methods of models; those that cannot matter stand for nothing.
FIT = {**_QUEUE, "nb_epoch": "epochs"}
EVALUATE = _QUEUE
COMPILE = {"sample_weight_mode": ""}
_GENERATOR = {**FIT, "nb_val_samples": "validation_steps", "val_samples": "steps"}

#: Older values of keywords.
_ONE, _ZERO = dict.fromkeys(("one", "ones"), True), dict.fromkeys(("zero", "zeros"), False)
VALUES: dict[str, dict[Any, Any]] = {
    "consume_less": {"cpu": 0, "mem": 1, "gpu": 2},
    "dim_ordering": {"tf": "channels_last", "th": "channels_first", "default": None},
    "forget_bias_init": {**_ONE, **_ZERO},
}

_ROOT = __name__.partition(".")[0]
F = TypeVar("F", bound=Callable[..., Any])


# keywords ----------------------------------------------------------------------------------------------------------

def translated(given: Mapping[str, Any], words: Mapping[str, str], who: str) -> dict[str, Any]:
    """Keywords, with the older ones among them in today's words.

    >>> translated({"output_dim": 4, "name": "top"}, KEYWORDS["Dense"], "Dense")
    {'units': 4, 'name': 'top'}
    """
    new: dict[str, Any] = {}
    for word, value in given.items():
        if word in VALUES and word in words:
            if value not in VALUES[word]:
                raise ValueError(f"{who} {word}: expected one of {', '.join(map(repr, VALUES[word]))}, got {value!r}; "
                                 f"today's keyword is {words[word]!r}")
            value = VALUES[word][value]
        name = words.get(word, word)
        if name in new or (name != word and name in given):
            raise TypeError(f"{who}: got {word!r}, and {name!r}, which is the same")
        if name:
            new[name] = value
    return new


def accepts(words: Mapping[str, str]) -> Callable[[F], F]:
    """A decorator that lets a function take older keywords, too; others that it does not know are a TypeError that
    names the nearest.

    >>> @accepts({"nb_epoch": "epochs"})
    ... def fit(x, epochs=1): return epochs
    >>> fit(0, nb_epoch=5)
    5
    >>> fit(0, epoch=5)
    Traceback (most recent call last):
        ...
    TypeError: fit: unknown keyword 'epoch' (did you mean 'epochs'?)
    """
    def decorate(function: F) -> F:
        code = function.__code__
        known = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
        open_ = bool(code.co_flags & 0x08)      # it has **kwargs
        older = {word: name for word, name in words.items() if word not in known}

        @functools.wraps(function)
        def taking(*args: Any, **kwargs: Any) -> Any:
            if kwargs and not kwargs.keys() <= known:
                kwargs = translated(kwargs, older, function.__name__)
                unknown = [] if open_ else [name for name in kwargs if name not in known]
                if unknown:
                    raise TypeError(f"{function.__name__}: unknown keyword " + ", ".join(
                        f"{name!r}{near(name, known)}" for name in unknown))
            return function(*args, **kwargs)
        return taking  # type: ignore[return-value]
    return decorate


def accept(cls: type) -> None:
    """Let a class take the older keywords that the table has for it."""
    words = KEYWORDS.get(cls.__name__)
    if words is None:
        return
    init = cls.__init__  # type: ignore[misc]
    code = init.__code__
    known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    older = {word: name for word, name in words.items() if word not in known}
    sizes = ("nb_row", "nb_col") if older.get("nb_filter") and "1D" not in cls.__name__ else ()

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        if not older.keys().isdisjoint(kwargs):
            if sizes and kwargs.keys() >= set(sizes):
                kwargs["kernel_size"] = tuple(kwargs.pop(size) for size in sizes)
            kwargs = translated(kwargs, older, cls.__name__)
        init(self, *args, **kwargs)
    cls.__init__ = __init__  # type: ignore[misc]


def near(name: str, names: Iterable[str]) -> str:
    """The names that are spelled nearly like one, as the part of an error that suggests them.

    >>> near("acuracy", ["accuracy", "auc", "mse"])
    " (did you mean 'accuracy'?)"
    """
    import difflib  # which only an error needs

    def letters(name: str) -> str:
        return name.lower().replace("_", "")

    # Of a class and its name in small letters the one that is spelled as `name` is.
    names = sorted(names, key=lambda known: known.islower() == name.islower())
    spelled = {letters(known): known for known in names if abs(len(letters(known)) - len(letters(name))) <= 2}
    found = difflib.get_close_matches(letters(name), spelled, 3)
    return f" (did you mean {' or '.join(repr(spelled[match]) for match in found)}?)" if found else ""


# methods of models ---------------------------------------------------------------------------------------------------

class OlderMethods:
    """What models had in Keras 1 and 2, in terms of what they have."""

    fit: Callable[..., Any]
    evaluate: Callable[..., Any]
    predict: Callable[..., Any]

    @accepts(_GENERATOR)
    def fit_generator(self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, verbose: Any = 1,
                      callbacks: Any = None, validation_data: Any = None, validation_steps: int | None = None,
                      validation_freq: Any = 1, class_weight: Any = None, shuffle: bool = True, initial_epoch: int = 0,
                      samples_per_epoch: int | None = None) -> Any:
        """Keras 2's `fit` of batches from a source; see `Model.fit`. `samples_per_epoch`, Keras 1's, counts samples."""
        if samples_per_epoch is not None:
            generator, steps_per_epoch = _steps_of(generator, samples_per_epoch)
        return self.fit(generator, steps_per_epoch=steps_per_epoch, epochs=epochs, verbose=verbose, callbacks=callbacks,
                        validation_data=validation_data, validation_steps=validation_steps,
                        validation_freq=validation_freq, class_weight=class_weight, shuffle=shuffle,
                        initial_epoch=initial_epoch)

    @accepts(_GENERATOR)
    def evaluate_generator(self, generator: Any, steps: int | None = None, callbacks: Any = None,
                           verbose: Any = 0) -> Any:
        """Keras 2's `evaluate` of batches from a source; see `Model.evaluate`."""
        return self.evaluate(generator, steps=steps, callbacks=callbacks, verbose=verbose)

    @accepts(_GENERATOR)
    def predict_generator(self, generator: Any, steps: int | None = None, callbacks: Any = None,
                          verbose: Any = 0) -> Any:
        """Keras 2's `predict` of batches from a source; see `Model.predict`."""
        return self.predict(generator, steps=steps, callbacks=callbacks, verbose=verbose)

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None) -> Any:
        """The most probable class of each sample, int64 `(samples, ...)`; of one output unit whether it is over 0.5,
        int32 `(samples, ..., 1)`; see `Model.predict`."""
        y = self.predict(x, batch_size=batch_size, verbose=verbose, steps=steps)
        return y.argmax(-1) if y.shape[-1] > 1 else (y > 0.5).astype("int32")

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None) -> Any:
        """Keras 2's other name of `predict`; see `Model.predict`."""
        return self.predict(x, batch_size=batch_size, verbose=verbose, steps=steps)


def _steps_of(source: Any, samples: int) -> tuple[Any, int]:
    """A source of batches, and how many of them have so many samples, by the size of the first."""
    if hasattr(source, "__next__"):
        first = next(source, None)
        source = source if first is None else itertools.chain([first], source)
    else:
        first = source[0] if hasattr(source, "__getitem__") else next(iter(source), None)
    while isinstance(first, (tuple, list, dict)) and first:
        first = next(iter(first.values())) if isinstance(first, dict) else first[0]
    return source, -(-samples // max(len(first), 1)) if first is not None else 1


# merge(mode=) --------------------------------------------------------------------------------------------------------

_MODES = {"ave": "Average", "concat": "Concatenate", "dot": "Dot", "max": "Maximum", "mul": "Multiply", "sum": "Add"}


def Merge(layers: Any = None, mode: Any = "sum", concat_axis: int = -1, dot_axes: Any = -1,
          name: str | None = None) -> Any:
    """The layer that Keras 1's `Merge` is with a mode: "sum", "mul", "concat", "ave", "max" or "dot".

    Args:
        layers: not supported: a `Sequential` of several inputs. Call the layer on the outputs of two models instead.
        mode: see above.
        concat_axis: of "concat".
        dot_axes: of "dot".
        name: of the layer.

    Raises:
        ValueError: another mode, or `layers`.

    Example:

    >>> Merge(mode="concat")
    <Concatenate 'concatenate...', built=False>
    """
    if layers is not None:
        raise ValueError("Merge: a Sequential of several inputs is not supported; call Concatenate() or another such "
                         "layer on [one.output, two.output], and make a Model of the inputs and what comes of it")
    if mode not in _MODES:
        raise ValueError(f"Merge: expected mode to be one of {', '.join(map(repr, _MODES))}, got {mode!r}; "
                         "use dot(normalize=True) for 'cos', and a Lambda for a function")
    arguments = {"concat": {"axis": concat_axis}, "dot": {"axes": dot_axes}}.get(mode, {})
    return getattr(importlib.import_module(f"{_ROOT}.layers"), _MODES[mode])(**arguments, name=name)


def merge(inputs: Any, mode: Any = "sum", concat_axis: int = -1, dot_axes: Any = -1, name: str | None = None) -> Any:
    """Keras 1's function: symbols put together as `Merge` does; see `spellings.Merge`."""
    return Merge(None, mode, concat_axis, dot_axes, name)(inputs)


class CallableModule(ModuleType):
    """A module that has the name of a function in older Keras, `layers.merge`, `optimizers.adam`, and is that, too."""

    called: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.called(*args, **kwargs)


def let_call(module: str, called: Any) -> None:
    """Let a module be called as a function."""
    sys.modules[module].__class__ = CallableModule
    sys.modules[module].called = called  # type: ignore[attr-defined]


# modules and names ---------------------------------------------------------------------------------------------------

def find(module: str, name: str) -> Any:
    """What an older name of a module stands for, or NOTHING; it may be an older module itself.

    Args:
        module: its whole name.
        name: in it.
    """
    path = module.partition(".")[2]
    known = NAMES.get(path, {}).get(name)
    if known is not None:
        where, _, what = known.rpartition(":")
        home = importlib.import_module(f"{_ROOT}.{where or path}")
        return getattr(home, what, NOTHING) if what != name or where else NOTHING
    inner = f"{path}.{name}" if path else name
    return importlib.import_module(f"{_ROOT}.{inner}") if inner in MODULES else NOTHING


NOTHING = object()


def names_of(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of an older module, which has the names of its homes."""
    path = module.partition(".")[2]

    def __getattr__(name: str) -> Any:
        homes = [importlib.import_module(f"{_ROOT}.{home}") for home in MODULES[path]]
        if name == "__all__":
            return [known for home in homes for known in home.__all__]
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if f"{path}.{name}" in MODULES:
            return importlib.import_module(f"{module}.{name}")
        for home in homes:
            found = getattr(home, name, NOTHING)
            if found is not NOTHING:
                return found
        names = [known for home in homes for known in home.__all__]
        raise AttributeError(f"module {module!r} has no attribute {name!r}{near(name, names)}; its names are those of "
                             f"{' and '.join(home.__name__ for home in homes)}")
    return __getattr__


class Finder:
    """Finds the modules of the table that are no files."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The way to import a module of this name, None if it is no older one."""
        root, _, inner = name.partition(".")
        if root != _ROOT or inner not in MODULES:
            return None
        return ModuleSpec(name, Finder, is_package=True)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """An ordinary module."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """Give the module its names."""
        homes = " and ".join(f"{_ROOT}.{home}" for home in MODULES[module.__name__.partition(".")[2]])
        module.__doc__ = f"An older name of {homes}."
        vars(module)["__getattr__"] = names_of(module.__name__)


def install() -> None:
    """Let Python find the older modules."""
    others = [one for one in sys.meta_path if getattr(one, "__module__", None) != __name__]
    sys.meta_path[:] = [*others, Finder]


def open_packages() -> None:
    """Let the folders of layers have the names that the modules called so had in Keras 1 and 2."""
    for path in MODULES:
        module = sys.modules.get(f"{_ROOT}.{path}")
        if module is not None and "__getattr__" not in vars(module):
            vars(module)["__getattr__"] = names_of(module.__name__)
    let_call(f"{_ROOT}.layers.merge", merge)
