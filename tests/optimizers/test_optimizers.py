# SPDX-License-Identifier: Apache-2.0
"""Optimizers by hand, their state, names and errors."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import fastrnn
from fastrnn import _core, optimizers
from fastrnn.layers.base import Variable
from fastrnn.optimizers import SGD, Adam, AdamW, RMSprop, schedules
from tests.optimizers.cases import CASES, CLIPS, gradients, train, variables


def one(value, gradient):
    """A variable of one element, with a gradient."""
    variable = Variable(np.array([value]), "w")
    variable.gradient()[...] = gradient
    return variable


def test_sgd_by_hand():
    w = one(1.0, 2.0)
    SGD(0.1).apply([w])
    assert w.value == pytest.approx(0.8)
    w, optimizer = one(1.0, 2.0), SGD(0.1, momentum=0.5)
    optimizer.apply([w])  # m = -0.2
    optimizer.apply([w])  # m = -0.3
    assert w.value == pytest.approx(0.5)
    w, optimizer = one(1.0, 2.0), SGD(0.1, momentum=0.5, nesterov=True)
    optimizer.apply([w])  # 1 - 0.5 * 0.2 - 0.2
    assert w.value == pytest.approx(0.7)


def test_rmsprop_by_hand():
    w = one(10.0, 10.0)
    RMSprop(0.1).apply([w])  # 10 - 0.1 * 10 / sqrt(0.1 * 100)
    assert w.value == pytest.approx(9.683772, abs=1e-6)
    w = one(10.0, 10.0)
    RMSprop(0.1, centered=True, momentum=0.9).apply([w])  # sqrt(10 - 1)
    assert w.value == pytest.approx(10 - 1 / 3)


def test_adam_by_hand():
    w = one(10.0, 10.0)
    Adam(0.1).apply([w])  # the first step is the learning rate, but for epsilon
    assert w.value == pytest.approx(9.9)
    w = one(10.0, 10.0)
    AdamW(0.1, weight_decay=0.5).apply([w])
    assert w.value == pytest.approx(9.4)


def test_clipping_by_hand():
    def stepped(**limit):
        variables = [one(0.0, 3.0), one(0.0, -4.0)]
        SGD(1.0, **limit).apply(variables)
        return [-float(v.value[0]) for v in variables]

    assert stepped() == [3, -4]
    assert stepped(clipvalue=3.5) == [3, -3.5]
    assert stepped(clipnorm=3.5) == pytest.approx([3, -3.5])
    assert stepped(global_clipnorm=2.5) == pytest.approx([1.5, -2])
    assert stepped(global_clipnorm=5) == [3, -4]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_a_quadratic_is_minimized(name, arguments):
    """Each optimizer finds the lowest point of (w - 3)^2, wherever weight decay does not pull it off."""
    arguments = {k: v for k, v in arguments.items() if k != "weight_decay" and "regularization" not in k}
    w = one(0.0 if name != "Lamb" else 0.1, 0.0)
    rate = {"Adadelta": 100.0, "Adagrad": 2.0, "Adafactor": 0.5, "ScheduleFreeAdamW": 1.0}.get(name, 0.1)
    falling = schedules.CosineDecay(rate, 400) if name != "Ftrl" else 2.0     # which divides by it
    optimizer = getattr(optimizers, name)(falling, **arguments)
    if name in ("AdamW", "Muon"):
        optimizer.exclude_from_weight_decay(var_names=["w"])
    for _ in range(400):
        w.gradient()[...] = 2 * (w.data - 3)
        optimizer.apply([w])
    assert w.value == pytest.approx(3, abs=0.02)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: next(iter(clip), "unclipped"))
@pytest.mark.parametrize(("name", "arguments"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_any_number_of_threads(name, arguments, clip, dtype):
    shapes = [(300, 173), (5,), (70001,)]  # two of them large enough to be shared among threads
    steps = gradients(2, shapes, dtype)
    results = []
    for threads in 1, 2, 3, 5:
        fastrnn.set_num_threads(threads)
        optimizer = getattr(optimizers, name)(0.05, **arguments, **clip)
        results.append(train(optimizer, variables(shapes, dtype), steps) + optimizer.get_slots())
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("clip", [{}, {"clipnorm": 0.5}, {"clipvalue": 0.3}])
@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_variables_updated_together_are_as_updated_one_by_one(name, arguments, clip):
    """So many that the kernel takes them in several groups."""
    shapes = [(n % 7 + 1, n % 5 + 1) for n in range(70)]
    steps = gradients(2, shapes)
    together = train(getattr(optimizers, name)(0.05, **arguments, **clip), variables(shapes), steps)
    for i, expected in enumerate(together):
        alone = getattr(optimizers, name)(0.05, **arguments, **clip)
        (got,) = train(alone, variables(shapes)[i : i + 1], [step[i : i + 1] for step in steps])
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_refuse_what_does_not_fit(dtype):
    kernels = _core.kernels(dtype)
    w, short = np.zeros((4, 3), dtype), np.zeros((4, 2), dtype)
    slots = {"momentum": w.copy(), "velocity": w.copy()}

    def adam(*variable):
        kernels.adam_update([variable], np.inf, 0.1, 0.9, 0.999, 1e-7, 1)

    adam(w, w.copy(), None, 1.0, 0.0, slots)
    for bad in (
        (w, short, None, 1.0, 0.0, slots),
        (w, None, None, 1.0, 0.0, slots),
        (None, w, None, 1.0, 0.0, slots),
        (w, w.copy(), np.zeros(3, np.uint8), 1.0, 0.0, slots),
        (w, w.copy(), None, 1.0, 0.0, {"momentum": w.copy()}),
        (w, w.copy(), None, 1.0, 0.0, {**slots, "velocity": short}),
        (w, w.copy(), None, 1.0, 0.0, {**slots, "velocity_hat": short}),
        (w, w.copy(), None, 1.0, 0.0, None),
        (w, w.copy(), None),
        (),
    ):
        with pytest.raises(ValueError, match="kernel argument"):
            adam(*bad)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_float32_and_float64_agree(name, arguments):
    low = train(getattr(optimizers, name)(0.05, **arguments), variables(), gradients(4))
    high = [Variable(v.numpy().astype("float64"), v.name) for v in variables()]
    high = train(getattr(optimizers, name)(0.05, **arguments), high, gradients(4))
    for a, b in zip(low, high, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_state_goes_on_where_it_was(name, arguments):
    steps = gradients(6)
    expected = train(getattr(optimizers, name)(0.05, **arguments), variables(), steps)
    first, own = getattr(optimizers, name)(0.05, **arguments), variables()
    train(first, own, steps[:3])
    second = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(first))))
    again = [Variable(v.numpy(), v.name) for v in own]
    second.build(again)
    second.set_slots(first.get_slots())
    second.iterations = first.iterations
    for a, b in zip(train(second, again, steps[3:]), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_slots_are_copies_and_are_checked():
    optimizer, own = Adam(), variables()
    assert optimizer.get_slots() == []
    with pytest.raises(ValueError, match=r"Adam 'adam': call build\(variables\) before set_slots"):
        optimizer.set_slots([])
    optimizer.build(own)
    slots = optimizer.get_slots()
    assert [s.shape for s in slots[:4]] == [own[0].shape, own[0].shape, own[1].shape, own[1].shape]
    slots[0][...] = 1
    assert not optimizer.get_slots()[0].any()
    with pytest.raises(ValueError, match="Adam 'adam': expected 8 slots, got 7"):
        optimizer.set_slots(slots[1:])
    slots[-1] = np.zeros((3, 3))
    with pytest.raises(ValueError, match=r"Adam 'adam' slot 7: expected shape \(1, 40\), got \(3, 3\)"):
        optimizer.set_slots(slots)
    assert not optimizer.get_slots()[0].any()  # all or nothing


def test_learning_rate():
    optimizer = SGD(0.5)
    optimizer.learning_rate = 1
    assert optimizer.learning_rate == 1.0 and isinstance(optimizer.learning_rate, float)
    optimizer.learning_rate = np.float32(0.25)
    assert optimizer.learning_rate == 0.25
    optimizer.learning_rate = lambda: 0.75
    assert optimizer.learning_rate == 0.75 == optimizer.get_config()["learning_rate"]
    optimizer.learning_rate.assign(0.5)
    assert optimizer.lr == 0.5 == optimizer.lr.numpy() == optimizer.lr.value
    optimizer.lr = 0.25
    assert repr(optimizer.learning_rate) == "0.25" == json.dumps(optimizer.learning_rate)
    assert type(copy.deepcopy(optimizer.learning_rate)) is float
    optimizer.learning_rate = 0.1
    w = one(0.0, 1.0)
    optimizer.apply([w])
    assert w.value == pytest.approx(-0.1)
    for bad in "fast", None, True, [0.1]:
        with pytest.raises(ValueError, match="SGD 'sgd' learning_rate: expected a number, a schedule or a function"):
            SGD(bad)
        with pytest.raises(ValueError, match="SGD 'sgd' learning_rate: expected a number, a schedule or a function"):
            optimizer.learning_rate = bad


def test_schedules_are_followed_and_not_set():
    schedule = schedules.PiecewiseConstantDecay([0], [1.0, 0.1])
    optimizer, w = SGD(schedule), one(0.0, 1.0)
    optimizer.apply([w])
    optimizer.apply([w])
    assert w.value == pytest.approx(-1.1)
    with pytest.raises(TypeError, match="SGD 'sgd': its learning rate is the schedule PiecewiseConstantDecay"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = schedules.ExponentialDecay(0.5, 1, 0.5)
    assert optimizer.learning_rate == 0.125
    again = SGD.from_config(optimizer.get_config())
    assert again.learning_rate == 0.5 and again.get_config() == optimizer.get_config()


def test_get():
    for spelling in "rmsprop", "RMSprop", "RMSPROP":
        assert type(optimizers.get(spelling)) is RMSprop
    assert type(optimizers.get("sgd")) is SGD and type(optimizers.get("AdamW")) is AdamW
    assert optimizers.get(None) is None
    adam = Adam()
    assert optimizers.get(adam) is adam
    assert optimizers.get({"class_name": "ADAM", "config": {"learning_rate": 0.5}}).learning_rate == 0.5
    with pytest.raises(ValueError, match="unknown optimizer 'adan' .did you mean 'adam'.*: expected one of"):
        optimizers.get("adan")
    for bad in 3, print, [adam]:
        with pytest.raises(ValueError, match="as an optimizer"):
            optimizers.get(bad)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clipnorm": -1.0}, "Adam 'adam' clipnorm: expected a number of 0 or more, got -1.0"),
        ({"clipvalue": "a"}, "Adam 'adam' clipvalue: expected a number of 0 or more, got 'a'"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "expected one of clipnorm, clipvalue and global_clipnorm"),
        ({"weight_decay": True}, "weight_decay: expected a number of 0 or more, got True"),
        ({"beta_1": 1.5}, "beta_1: expected a number from 0 to 1, got 1.5"),
        ({"beta_1": 1.0}, "beta_1: expected a number below 1, got 1.0"),
        ({"epsilon": np.nan}, "epsilon: expected a number of 0 or more, got nan"),
        ({"use_ema": True, "ema_momentum": 2}, "ema_momentum: expected a number from 0 to 1, got 2"),
        ({"ema_overwrite_frequency": -1}, "ema_overwrite_frequency: expected a whole number of 1 or more, or None"),
        ({"gradient_accumulation_steps": 1}, "gradient_accumulation_steps: expected a whole number of 2 or more"),
        ({"gradient_accumulation_steps": 2.5}, "gradient_accumulation_steps: expected a whole number of 2 or more"),
        ({"decay": -1e-6}, "decay: expected a number of 0 or more, got -1e-06"),
        ({"lr": "fast"}, "learning_rate: expected a number, a schedule or a function"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Adam(**arguments)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="SGD 'sgd' momentum: expected a number from 0 to 1, got 2"):
        SGD(momentum=2)
    with pytest.raises(ValueError, match="RMSprop 'mine' rho: expected a number from 0 to 1, got -0.1"):
        RMSprop(rho=-0.1, name="mine")
    with pytest.raises(ValueError, match="AdamW 'adamw' weight_decay: expected a number of 0 or more, got None"):
        AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="Lion 'lion' beta_1: expected a number above 0, got 0"):
        optimizers.Lion(beta_1=0.0)
    with pytest.raises(ValueError, match="Ftrl 'ftrl' learning_rate_power: expected a number of 0 or less, got 0.5"):
        optimizers.Ftrl(learning_rate_power=0.5)
    with pytest.raises(ValueError, match="Adafactor 'adafactor' beta_2_decay: expected a number of 0 or less, got 1"):
        optimizers.Adafactor(beta_2_decay=1)
    SGD(use_ema=False, ema_momentum=5, ema_overwrite_frequency=100, loss_scale_factor=None)


def test_missing_gradients():
    optimizer, own = SGD(0.1), variables()
    with pytest.raises(ValueError, match="SGD 'sgd': no variable has a gradient; run backward before apply"):
        optimizer.apply(own)
    assert optimizer.iterations == 0
    own[1].gradient()[...] = 1
    before = [v.numpy() for v in own]
    with pytest.warns(UserWarning, match="SGD 'sgd': no gradient for weight_0, weight_2, weight_3, left as they are"):
        optimizer.apply(own)
    assert optimizer.iterations == 1
    np.testing.assert_allclose(own[1].value, before[1] - 0.1, rtol=1e-6)
    np.testing.assert_array_equal(own[0].value, before[0])
    optimizer.apply([])
    assert optimizer.iterations == 1


def test_other_variables_are_refused():
    optimizer, own = Adam(), variables()
    train(optimizer, own, gradients(1))
    other = variables()
    for variable in other:
        variable.gradient()[...] = 1
    with pytest.raises(ValueError, match="variable 'weight_0' is not one of those it was built for; make a new"):
        optimizer.apply(other)
    optimizer.apply(own[1:3])  # some of them alone are fine


def test_layers_pack_again_after_an_update():
    own = variables()
    versions = [v.version for v in own]
    train(SGD(), own, gradients(1))
    assert all(v.version > before for v, before in zip(own, versions, strict=True))


def test_denormals_are_no_trap():
    """Means that fade away end as zero or a normal number, not as one that a processor is slow with."""
    optimizer, w = Adam(), Variable(np.ones(64, "float32"), "w")
    w.gradient()[...] = 1e-3
    optimizer.apply([w])
    w.gradient()[...] = 0
    for _ in range(1000):
        optimizer.apply([w])
    mean = optimizer.get_slots()[0]
    assert ((mean == 0) | (mean >= np.finfo("float32").tiny)).all()
    assert mean.max() < 1e-36


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_go_on_as_the_original(copied):
    """Of the optimizer together with its variables."""
    steps = gradients(5)
    optimizer, own = AdamW(0.05, amsgrad=True), variables()
    optimizer.exclude_from_weight_decay(var_names=["_1"])
    train(optimizer, own, steps[:2])
    optimizer_copy, own_copy = copied((optimizer, own))
    expected = train(optimizer, own, steps[2:])
    for a, b in zip(train(optimizer_copy, own_copy, steps[2:]), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_decay_of_keras_2():
    """The learning rate of update t is lr / (1 + decay * t); what is read and set is lr."""
    w, optimizer = one(0.0, 1.0), SGD(lr=0.5, decay=0.25)
    for t in range(4):
        before = float(w.value[0])
        optimizer.apply([w])
        assert before - w.value == pytest.approx(0.5 / (1 + 0.25 * t))
        assert optimizer.lr == optimizer.learning_rate == 0.5
    again = optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer))))
    assert again.decay == 0.25 and "decay" not in SGD(0.5).get_config()
    old = optimizers.legacy.Adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=None, decay=0.0, amsgrad=False)
    assert old.get_config() == Adam().get_config()


def test_the_momentum_of_an_older_nadam():
    """Keras 1 and 2 have 0.96 to the power of t * schedule_decay."""
    w, own = one(10.0, 10.0), optimizers.Nadam(0.1, schedule_decay=0.004)
    own.apply([w])
    now, ahead = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in (1, 2))
    step = ahead / (1 - now * ahead) * 1.0 + (1 - now) / (1 - now) * 10
    assert w.value == pytest.approx(10 - 0.1 * step / 10)
    assert optimizers.Nadam.from_config(own.get_config()).schedule_decay == 0.004
    with pytest.raises(ValueError, match="Nadam 'nadam' decay: Keras's Nadam has none of its own"):
        optimizers.Nadam(decay=0.1)


def test_batches_and_updates():
    optimizer, w = SGD(0.1, gradient_accumulation_steps=3), one(0.0, 1.0)
    for batch in range(7):
        optimizer.apply([w])
        assert (optimizer.batches, optimizer.iterations) == (batch + 1, (batch + 1) // 3)
        assert w.value == pytest.approx(-0.1 * ((batch + 1) // 3))
    optimizer.iterations.assign(5)
    assert (optimizer.batches, optimizer.iterations.numpy(), optimizer.iterations.value) == (15, 5, 5)


def test_a_schedule_counts_batches():
    """As in Keras, where gradients are accumulated, too."""
    optimizer = SGD(schedules.PiecewiseConstantDecay([2], [1.0, 0.1]), gradient_accumulation_steps=2)
    w, seen = one(0.0, 1.0), []
    for _ in range(4):
        seen.append(float(optimizer.learning_rate))
        optimizer.apply([w])
    assert seen == [1.0, 1.0, 1.0, 0.1] and w.value == pytest.approx(-1.1)


def test_tables_of_an_embedding_are_as_full_gradients():
    """Rows that a batch does not name have a gradient of zero, whatever an optimizer makes of that."""
    for name, arguments in CASES:
        for options in {}, {"gradient_accumulation_steps": 2, "use_ema": True, "ema_overwrite_frequency": 1}:
            results = []
            for by_rows in True, False:
                fastrnn.utils.set_random_seed(1)
                layer = fastrnn.layers.Embedding(9, 3)
                optimizer = getattr(optimizers, name)(0.05, **arguments, **options)
                for x in [[1, 4, 4]], [[4, 2, 8]], [[1, 1, 1]], [[0, 7, 2]]:
                    y = layer(x, training=True)
                    layer.backward(np.linspace(-1, 2, y.size).reshape(y.shape).astype("float32"))
                    if not by_rows:
                        layer.embeddings.grad += 0     # taken: all rows are read
                    optimizer.apply(layer.trainable_weights)
                results.append([layer.embeddings.numpy(), *optimizer.get_slots()])
            for a, b in zip(*results, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=name)
