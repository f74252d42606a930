# SPDX-License-Identifier: Apache-2.0
"""How a step uses the layers, and what becomes of masks, weights, regularizers and errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fastrnn
from fastrnn import losses, optimizers, regularizers
from fastrnn.callbacks import Callback
from fastrnn.layers import Activation, Dense, Dropout, TimeDistributed
from tests.models.fakes import MarkZeros, Scale

x = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "float32")
y = np.zeros((3, 2), "float32")


def stack(*layers, loss="mse", rate=0.0, **kwargs) -> fastrnn.Sequential:
    model = fastrnn.Sequential([fastrnn.Input(x.shape[1:]), *layers])
    model.compile(optimizers.SGD(rate), loss, **kwargs)
    return model


def test_a_step_is_forward_then_backward():
    calls: list = []
    model = stack(Scale(calls, name="a"), Scale(calls, name="b"), Scale(calls, name="c"))
    model.train_on_batch(x, y)
    assert calls == [("a", "forward", True, None), ("b", "forward", True, None), ("c", "forward", True, None),
                     ("c", "backward", True), ("b", "backward", True), ("a", "backward", False)]
    calls.clear()
    model.test_on_batch(x, y)
    model.predict_on_batch(x)
    assert calls == [(name, "forward", False, None) for name in "abcabc"]


def test_no_gradient_goes_below_the_lowest_layer_that_learns():
    calls: list = []
    model = stack(Scale(calls, name="a", trainable=False), Dropout(0.5), Scale(calls, name="b"), Scale(calls, name="c"))
    model.train_on_batch(x, y)
    assert calls[-2:] == [("c", "backward", True), ("b", "backward", False)]


def test_a_frozen_layer_in_between_passes_the_gradient_on():
    model = stack(Scale(start=2, name="a"), Scale(start=3, name="b", trainable=False), rate=0.5)
    model.train_on_batch(x, y)
    gradient = (2 * (x * 6) * 3 * x / x.size).sum(axis=0)
    np.testing.assert_allclose(model.get_weights()[0], 2 - 0.5 * gradient, rtol=1e-6)
    assert model.get_weights()[1].tolist() == [3, 3]


def test_nothing_to_train_warns():
    model = stack(Scale(trainable=False), rate=1.0)
    with pytest.warns(UserWarning, match="no trainable weights"):
        model.train_on_batch(x, y)
    frozen = fastrnn.Sequential([fastrnn.Input((2,)), Dense(2)], trainable=False)
    frozen.compile("sgd", "mse")
    before = frozen.get_weights()
    with pytest.warns(UserWarning, match="no trainable weights"):
        frozen.fit(x, y, verbose=0)
    np.testing.assert_array_equal(before[0], frozen.get_weights()[0])


def test_freezing_counts_from_the_next_compile_on():
    model = stack(Scale(), rate=0.1)
    model.train_on_batch(x, y)
    model.layers[0].trainable = False
    model.compile(optimizers.SGD(0.1), "mse")
    before = model.get_weights()[0]
    with pytest.warns(UserWarning, match="no trainable weights"):
        model.train_on_batch(x, y)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_one_update_by_hand():
    model = stack(Scale(start=2.0), rate=0.25)
    loss = model.train_on_batch(x, y)
    assert loss == pytest.approx(np.mean((2 * x) ** 2), rel=1e-6)
    gradient = (2 * (2 * x) * x / x.size).sum(axis=0)
    np.testing.assert_allclose(model.get_weights()[0], 2 - 0.25 * gradient, rtol=1e-6)


def test_regularizers_join_loss_and_gradient():
    model = stack(Scale(start=2.0, regularizer=regularizers.L2(0.5)), rate=0.25)
    data_loss = np.mean((2 * x) ** 2)
    assert model.test_on_batch(x, y) == pytest.approx(data_loss + 0.5 * 8, rel=1e-6)
    assert model.train_on_batch(x, y) == pytest.approx(data_loss + 0.5 * 8, rel=1e-6)
    gradient = (2 * (2 * x) * x / x.size).sum(axis=0) + 2 * 0.5 * 2
    np.testing.assert_allclose(model.get_weights()[0], 2 - 0.25 * gradient, rtol=1e-6)
    assert model.evaluate(x, y, batch_size=2, verbose=0) > 0


class Watched(losses.BinaryCrossentropy):
    """Records which of its gradients was asked for."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.asked: list[str] = []

    def value_and_gradient(self, *args):
        self.asked.append("outputs")
        return super().value_and_gradient(*args)

    def value_and_logits_gradient(self, *args):
        self.asked.append("logits")
        return super().value_and_logits_gradient(*args)


@pytest.mark.parametrize(("layer", "asked"), [
    (lambda: Dense(2, activation="sigmoid"), "logits"), (lambda: Activation("sigmoid"), "logits"),
    (lambda: Dense(2, activation="softmax"), "outputs"), (lambda: Scale(), "outputs")])
@pytest.mark.filterwarnings("ignore:.*expects probabilities")
def test_loss_and_last_activation_are_fused_where_they_match(layer, asked):
    loss = Watched()
    model = stack(Scale(start=0.01), layer(), loss=loss)
    model.train_on_batch(x, y)
    assert loss.asked == [asked]
    assert np.isfinite(model.layers[0].w.grad).all()


def test_time_distributed_layers_are_fused_too():
    loss = Watched()
    model = fastrnn.Sequential([fastrnn.Input((4, 2)), TimeDistributed(Dense(1, activation="sigmoid"))])
    model.compile("sgd", loss)
    model.train_on_batch(np.ones((3, 4, 2)), np.ones((3, 4, 1)))
    assert loss.asked == ["logits"]


def test_fused_and_separate_gradients_agree():
    weights = []
    for layers in ([Dense(2, activation="sigmoid")], [Dense(2, activation="sigmoid"), Scale(trainable=False)]):
        model = stack(*layers, loss="binary_crossentropy", rate=0.5)
        model.layers[0].set_weights([np.array([[0.1, -0.2], [0.3, 0.05]]), np.zeros(2)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.train_on_batch(x, y + np.array([0, 1]))
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(*weights, rtol=1e-5)


def test_warns_once_of_a_loss_that_wants_probabilities():
    model = stack(Dense(2, name="head"), loss="categorical_crossentropy")
    with pytest.warns(UserWarning, match="'categorical_crossentropy' expects probabilities.*'head'.*'linear'.*"
                                         "from_logits=True"):
        model.train_on_batch(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(x, y, verbose=0)
        model.compile("sgd", "categorical_crossentropy")
        model.fit(x, y, verbose=0)


@pytest.mark.parametrize(("layer", "loss"), [
    (lambda: Dense(2), losses.CategoricalCrossentropy(from_logits=True)), (lambda: Dense(2), "mse"),
    (lambda: Dense(2, activation="softmax"), "categorical_crossentropy"),
    (lambda: Activation("sigmoid"), "binary_crossentropy"),
    (lambda: Dense(2, activation="hard_sigmoid"), "binary_crossentropy")])
def test_does_not_warn_without_reason(layer, loss):
    model = stack(Scale(), layer(), loss=loss)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train_on_batch(x, y)


sequences = np.array([[[1.0], [2.0], [0.0]], [[3.0], [0.0], [0.0]]], "float32")


def masked(**kwargs) -> tuple[fastrnn.Sequential, list]:
    calls: list = []
    model = fastrnn.Sequential([fastrnn.Input((3, 1)), MarkZeros(), Scale(calls, start=2.0)])
    model.compile(optimizers.SGD(0.0), "mse", **kwargs)
    return model, calls


def test_masks_reach_layers_loss_and_metrics():
    model, calls = masked(metrics=["mae"], weighted_metrics=["mse"])
    targets = np.full((2, 3, 1), 1.0)
    errors = 2 * sequences[sequences > 0] - 1  # 1, 3, 5
    for results in (model.train_on_batch(sequences, targets), model.evaluate(sequences, targets, verbose=0)):
        loss, mae, mse = results
        assert loss == pytest.approx(np.mean(errors**2))
        counted = losses.masked_weight(None, sequences[:, :, 0] != 0)
        by_hand = fastrnn.metrics.MeanAbsoluteError()
        by_hand.update_state(targets, 2 * sequences, counted)
        assert mae == pytest.approx(by_hand.result())
        by_hand = fastrnn.metrics.MeanSquaredError()
        by_hand.update_state(targets, 2 * sequences, counted)
        assert mse == pytest.approx(by_hand.result())
    for _, _, *rest in calls:
        if len(rest) == 2:
            np.testing.assert_array_equal(rest[1], sequences[:, :, 0] != 0)
    # The masked steps add nothing to the gradient: d/dw mean((w x - 1)^2).
    model.train_on_batch(sequences, targets)
    np.testing.assert_allclose(model.layers[1].w.grad, np.mean(2 * errors * sequences[sequences > 0]), rtol=1e-6)


def test_sample_weights_of_samples_and_of_steps():
    model, _ = masked()
    targets = np.full((2, 3, 1), 1.0)
    assert model.test_on_batch(sequences, targets, [1.0, 0.0]) == pytest.approx((1 + 9) / 3)
    assert model.test_on_batch(sequences, targets, [[0, 1, 1], [1, 1, 1]]) == pytest.approx((9 + 25) / 3)
    plain = stack(Scale())
    assert plain.test_on_batch(x, y, [1, 0, 0]) == pytest.approx(2.5 / 3)
    assert plain.evaluate(x, y, sample_weight=[1, 0, 0], verbose=0) == pytest.approx(2.5 / 3)


def test_class_weights():
    model = stack(Scale(), loss=losses.SparseCategoricalCrossentropy(from_logits=True))
    classes = np.array([0, 1, 1])
    weighted = model.train_on_batch(x, classes, class_weight={1: 3.0})
    assert weighted == pytest.approx(model.test_on_batch(x, classes, [1, 3, 3]))
    model.fit(x, classes, class_weight={1: 3.0}, validation_data=(x, classes), verbose=0)
    assert model.history.history["loss"][0] == pytest.approx(weighted)
    assert model.history.history["val_loss"][0] == pytest.approx(model.test_on_batch(x, classes))


@pytest.mark.parametrize(("loss", "units"), [("sparse_categorical_crossentropy", 3), ("binary_crossentropy", 1),
                                             ("mse", 1)])
@pytest.mark.parametrize("targets", [[[0, 2, 1, 0], [1, 0, 0, 0]], [[0, 1, 0, 0], [1, 0, 0, 0]]])
def test_class_weights_of_time_steps_are_refused(loss, units, targets):
    """Also where they look like one-hot rows; the way out that the error names is taken."""
    if loss == "binary_crossentropy":
        targets = np.minimum(targets, 1)
    model = fastrnn.Sequential([fastrnn.Input((4, 2)), Dense(units, activation="softmax" if units > 1 else "sigmoid")])
    model.compile(optimizers.SGD(0.0), loss)
    sequences, weights = np.ones((2, 4, 2)), {0: 1, 1: 5, 2: 9}
    for call in model.fit, model.train_on_batch:
        with pytest.raises(ValueError, match=r"class_weight: expected targets with one class a sample.*time steps of "
                                             r"shape \(2, 4\); pass sample_weight instead"):
            call(sequences, np.array(targets), class_weight=weights)
    by_step = np.array([[weights[c] for c in row] for row in targets])
    y_true = np.array(targets)[..., None]
    rows = type(losses.get(loss))(reduction="none")(y_true, model.predict_on_batch(sequences))
    assert model.train_on_batch(sequences, y_true, sample_weight=by_step) == pytest.approx((rows * by_step).mean())


def test_the_weights_of_the_samples_split_off_count_in_validation():
    model = stack(Scale())
    model.fit(x, y, sample_weight=[1, 1, 0], validation_split=0.3, verbose=0)
    assert model.history.history["val_loss"] == [0.0]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("bad")])
@pytest.mark.parametrize("where", ["on_train_batch_begin", "on_train_batch_end", "on_epoch_end"])
def test_an_interrupted_fit_leaves_a_usable_model(error, where):
    class Stop(Callback):
        pass

    def stop(self, *args, **kwargs):
        raise error

    setattr(Stop, where, stop)
    model = stack(Dense(2), rate=0.1)
    versions = [v.version for v in model.weights]
    with pytest.raises(type(error)):
        model.fit(x, y, callbacks=[Stop()], verbose=0)
    assert all(v.version > before for v, before in zip(model.weights, versions, strict=True))
    assert len(model.fit(x, y, epochs=2, verbose=0).epoch) == 2
    assert model.predict(x, verbose=0).shape == (3, 2)


def test_stop_training_ends_the_epoch_and_the_run():
    class Stop(Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    model = stack(Scale())
    seen = []
    history = model.fit(x, y, batch_size=1, epochs=3, verbose=0, callbacks=[
        Stop(), fastrnn.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))])
    assert seen == [0, 1] and len(history.epoch) == 1
    assert len(model.fit(x, y, epochs=2, verbose=0).epoch) == 2
