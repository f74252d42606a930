# SPDX-License-Identifier: Apache-2.0
"""Recurrent models as scikit-learn's estimators (`pip install fastrnn[sklearn]`)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state, compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("fastrnn.sklearn needs scikit-learn 1.6 or newer; pip install 'fastrnn[sklearn]'") from error

from fastrnn import layers, models, optimizers, runtime

__all__ = ["RNNClassifier", "RNNRegressor"]


class _Recurrent(BaseEstimator):
    """What both estimators share: sequences, the model, and its training."""

    def __init__(self, units: int = 32, cell: str = "GRU", num_layers: int = 1, bidirectional: bool = False,
                 dropout: float = 0.0, learning_rate: float = 0.01, batch_size: int = 32, epochs: int = 60,
                 build_model: Callable[[tuple[int | None, int], int], Any] | None = None,
                 random_state: Any = None, verbose: int = 0) -> None:
        self.units, self.cell, self.num_layers, self.bidirectional = units, cell, num_layers, bidirectional
        self.dropout, self.learning_rate, self.batch_size, self.epochs = dropout, learning_rate, batch_size, epochs
        self.build_model, self.random_state, self.verbose = build_model, random_state, verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags

    # sequences -----------------------------------------------------------------------------------------------------

    def _sequences(self, X: Any, y: Any = None, reset: bool = False) -> tuple[np.ndarray, np.ndarray, Any]:
        """The input (samples, time, features) scaled, the steps that count (samples, time), and the targets.

        Rows of numbers are sequences of one feature; a list of arrays (time, features) may have unequal lengths."""
        if _is_list_of_sequences(X):
            x, inside = _padded(X)
            if y is not None:
                y = np.asarray(y)
                if len(y) != len(x):
                    raise ValueError(f"{type(self).__name__}: expected as many targets as sequences, got {len(y)} and "
                                     f"{len(x)}")
            self._check_width(x, reset)
        else:
            numbers = {"dtype": "numeric", "allow_nd": True}
            if y is None:
                x = validate_data(self, X, reset=reset, **numbers)
            else:
                x, y = validate_data(self, X, y, reset=reset, multi_output=isinstance(self, RegressorMixin),
                                     y_numeric=isinstance(self, RegressorMixin), **numbers)
            x = np.asarray(x, "float64")
            x = x[:, :, None] if x.ndim == 2 else x
            if x.ndim != 3:
                raise ValueError(f"{type(self).__name__}: expected X (samples, time) or (samples, time, features), got "
                                 f"{x.shape}")
            inside = np.ones(x.shape[:2], bool)
            self._check_width(x, reset)
        if reset:
            known = x[inside]
            self.mean_ = known.mean(axis=0) if x.shape[2] > 1 or x.ndim == 3 else known.mean()
            self.scale_ = np.where(known.std(axis=0) > 0, known.std(axis=0), 1)
        x = np.where(inside[..., None], (x - self.mean_) / self.scale_, 0)
        return np.ascontiguousarray(x, "float32"), inside, y

    def _check_width(self, x: np.ndarray, reset: bool) -> None:
        if reset:
            self.width_ = x.shape[2]
        elif x.shape[2] != self.width_:
            raise ValueError(f"{type(self).__name__}: expected {self.width_} features a step, got {x.shape[2]}")

    # the model -----------------------------------------------------------------------------------------------------

    def _model(self, outputs: int, activation: str | None, loss: str) -> Any:
        if self.build_model is not None:
            return self.build_model((None, self.width_), outputs)
        cell = getattr(layers, self.cell, None)
        if cell is None or not hasattr(cell, "has_recurrent_kernel"):
            raise ValueError(f"{type(self).__name__} cell: expected the name of a recurrent layer as 'LSTM', got "
                             f"{self.cell!r}")
        x, steps = layers.Input((None, self.width_)), layers.Input((None,), dtype="bool")
        h = x
        for index in range(self.num_layers):
            layer = cell(self.units, return_sequences=index < self.num_layers - 1, dropout=self.dropout)
            h = (layers.Bidirectional(layer) if self.bidirectional else layer)(h, mask=steps)
        model = models.Model([x, steps], layers.Dense(outputs, activation)(h))
        model.compile(optimizers.Adam(self.learning_rate), loss)
        return model

    def _train(self, x: np.ndarray, inside: np.ndarray, target: np.ndarray, weight: np.ndarray | None, epochs: int,
               make: Callable[[], Any] | None) -> None:
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        with _drawn_from(seed):
            if make is not None:
                self.model_ = make()
            self.model_.fit(self._inputs(x, inside), target, sample_weight=weight, batch_size=self.batch_size,
                            epochs=epochs, verbose=self.verbose)
        self.n_iter_ = epochs

    def _inputs(self, x: np.ndarray, inside: np.ndarray) -> Any:
        return x if len(self.model_.inputs) == 1 else [x, inside]

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        x, inside, _ = self._sequences(X)
        found: np.ndarray = self.model_.predict(self._inputs(x, inside), batch_size=max(1, self.batch_size), verbose=0)
        return found


class RNNClassifier(ClassifierMixin, _Recurrent):
    """A recurrent layer, or several, and a softmax over classes, by scikit-learn's rules.

    Args:
        units: of each recurrent layer.
        cell: "GRU", "LSTM", "SimpleRNN" or "MinGRU".
        num_layers: recurrent layers on each other.
        bidirectional: whether each has one for either direction.
        dropout: fraction of the input that is dropped in training.
        learning_rate: of Adam.
        batch_size: samples of an update.
        epochs: passes over the samples.
        build_model: gives a compiled model for `((None, features), classes)`, in place of the one described.
        random_state: for first weights and the order of samples.
        verbose: as of `Model.fit`.
        class_weight: dictionary by class, "balanced", or None.

    Attributes:
        classes_: the classes, sorted.
        model_: the trained model.

    Raises:
        ValueError: in `fit` and `predict`, for what scikit-learn refuses, and for sequences of another width.

    Example:

    >>> import numpy as np
    >>> X = [np.ones((3, 2)), -np.ones((5, 2)), np.ones((4, 2)), -np.ones((2, 2))]
    >>> RNNClassifier(units=4, random_state=0).fit(X, ["up", "down", "up", "down"]).predict(X).tolist()
    ['up', 'down', 'up', 'down']
    """

    def __init__(self, units: int = 32, cell: str = "GRU", num_layers: int = 1, bidirectional: bool = False,
                 dropout: float = 0.0, learning_rate: float = 0.01, batch_size: int = 32, epochs: int = 60,
                 build_model: Callable[[tuple[int | None, int], int], Any] | None = None,
                 random_state: Any = None, verbose: int = 0, class_weight: Any = None) -> None:
        super().__init__(units, cell, num_layers, bidirectional, dropout, learning_rate, batch_size, epochs,
                         build_model, random_state, verbose)
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model.

        Args:
            X: (samples, time), (samples, time, features), or a list of arrays (time, features).
            y: a class for each sample.
            sample_weight: of each sample in the loss.
        """
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        x, inside, y = self._sequences(X, y, reset=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        self._fit(x, inside, y, sample_weight, self.epochs, new=True)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train on, one pass over these samples.

        Args:
            X, y, sample_weight: as in `fit`.
            classes: all that will come, at the first call.
        """
        new = not hasattr(self, "model_")
        x, inside, y = self._sequences(X, y, reset=new)
        if new:
            self.classes_ = np.unique(y if classes is None else classes)
        self._fit(x, inside, y, sample_weight, 1, new)
        return self

    def _fit(self, x: np.ndarray, inside: np.ndarray, y: np.ndarray, sample_weight: Any, epochs: int, new: bool
             ) -> None:
        if not np.isin(y, self.classes_).all():
            raise ValueError(f"{type(self).__name__}: expected classes {self.classes_.tolist()}, got others")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        if self.class_weight is not None:
            by_class = compute_sample_weight(self.class_weight, y)
            weight = by_class if weight is None else weight * by_class
        loss, count = "sparse_categorical_crossentropy", max(2, len(self.classes_))
        make = (lambda: self._model(count, "softmax", loss)) if new else None
        self._train(x, inside, np.searchsorted(self.classes_, y), weight, epochs, make)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class (samples, classes).

        Args:
            X: as in `fit`.
        """
        found = self._outputs(X)[:, :len(self.classes_)].astype("float64")
        return found / found.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each sample.

        Args:
            X: as in `fit`.
        """
        found: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)] if hasattr(self, "classes_") else (
            self._outputs(X))
        return found


class RNNRegressor(RegressorMixin, _Recurrent):
    """A recurrent layer, or several, and a linear one for one or several numbers, by scikit-learn's rules.

    Args:
        units, cell, num_layers, bidirectional, dropout, learning_rate, batch_size, epochs, build_model, random_state,
            verbose: as of `RNNClassifier`.

    Example:

    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((64, 5))
    >>> RNNRegressor(units=8, random_state=0).fit(X, X.sum(axis=1)).score(X, X.sum(axis=1)) > 0.9
    True
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model.

        Args:
            X: (samples, time), (samples, time, features), or a list of arrays (time, features).
            y: (samples,) or (samples, outputs).
            sample_weight: of each sample in the loss.
        """
        return self._fit(X, y, sample_weight, self.epochs, new=True)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on, one pass over these samples.

        Args:
            X, y, sample_weight: as in `fit`.
        """
        return self._fit(X, y, sample_weight, 1, new=not hasattr(self, "model_"))

    def _fit(self, X: Any, y: Any, sample_weight: Any, epochs: int, new: bool) -> Self:
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        x, inside, y = self._sequences(X, y, reset=new)
        target = np.asarray(y, "float64")
        if new:
            self._flat = target.ndim == 1
            self._middle = target.mean(axis=0)
            self._spread = np.where(target.std(axis=0) > 0, target.std(axis=0), 1)
        target = ((target - self._middle) / self._spread).reshape(len(x), -1)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        outputs = target.shape[1]
        self._train(x, inside, target, weight, epochs, (lambda: self._model(outputs, None, "mse")) if new else None)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The numbers of each sample: (samples,) or (samples, outputs).

        Args:
            X: as in `fit`.
        """
        found = self._outputs(X).astype("float64")
        scaled: np.ndarray = (found[:, 0] if self._flat else found) * self._spread + self._middle
        return scaled


def _is_list_of_sequences(X: Any) -> bool:
    return isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(one, np.ndarray) for one in X)


def _padded(sequences: Any) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of unequal lengths as one array, and which of its steps are theirs."""
    arrays = [np.asarray(one, "float64") for one in sequences]
    arrays = [one[:, None] if one.ndim == 1 else one for one in arrays]
    widths = {one.shape[1] if one.ndim == 2 else None for one in arrays}
    if len(widths) != 1 or None in widths or not all(len(one) for one in arrays):
        raise ValueError("expected a list of sequences (time, features) with a step at least and as many features in "
                         f"each, got shapes {', '.join(sorted({str(one.shape) for one in arrays})[:5])}")
    if not all(np.isfinite(one).all() for one in arrays):
        raise ValueError("Input X contains NaN or infinity")
    longest = max(map(len, arrays))
    x = np.zeros((len(arrays), longest, widths.pop() or 0))
    inside = np.zeros(x.shape[:2], bool)
    for index, one in enumerate(arrays):
        x[index, :len(one)] = one
        inside[index, :len(one)] = True
    return x, inside


@contextlib.contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """What fastrnn draws comes from a seed, and goes on afterwards as if nothing had been drawn."""
    before = runtime.generator_state(runtime.rng())
    runtime.set_seed(seed)
    try:
        yield
    finally:
        runtime.set_generator_state(runtime.rng(), before)
