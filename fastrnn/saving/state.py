# SPDX-License-Identifier: Apache-2.0
"""How a model was compiled and how far its training has come: to plain values and arrays, and back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np

from fastrnn import losses, metrics, optimizers, runtime
from fastrnn.registered import get_registered_name, known_objects
from fastrnn.saving import locations
from fastrnn.saving.config import check_names
from fastrnn.saving.errors import ModelFileError, caused_by, shown
from fastrnn.saving.tensors import Tensor, check_fits, values

#: How Keras 2's older optimizers end the names of what they keep for a variable.
_OLD_SLOTS = {"m": "momentum", "v": "velocity", "vhat": "velocity_hat", "momentum": "momentum", "rms": "velocity",
              "mg": "average_gradient", "accumulator": "accumulator", "linear": "linear",
              "accum_grad": "accumulated_grad", "accum_var": "accumulated_delta_var"}
#: Keras 2's arguments of optimizers that change nothing.
_OLD_ARGUMENTS = ("jit_compile", "is_legacy_optimizer")
#: Metrics, and thresholds of one, which cost memory.
_MAX_METRICS, _MAX_THRESHOLDS = 100, 10_000

Objects = Mapping[str, Any]

# compile ------------------------------------------------------------------------------------------------------------


def compile_config(model: Any) -> dict[str, Any] | None:
    """The arguments of `compile` as Keras 3 keeps them; None, with a warning where something is the user's own."""
    if not model.compiled:
        return None
    heads = model.objective.heads
    config = {
        "optimizer": optimizers.serialize(model.optimizer),
        "loss": _of_outputs([_loss_config(head) for head in heads]),
        "loss_weights": _of_outputs([head.loss_weight for head in heads]),
        "metrics": _of_outputs([[metrics.serialize(metric) for metric in head.given[0]] or None for head in heads]),
        "weighted_metrics": _of_outputs([[metrics.serialize(metric) for metric in head.given[1]] or None
                                         for head in heads]),
        "run_eagerly": False, "steps_per_execution": 1, "jit_compile": False,
    }  # fmt: skip
    for value in _leaves(list(config.values())):
        name = value.get("registered_name") if isinstance(value, dict) else value
        if isinstance(name, str) and not name.split(">")[-1].isidentifier():
            warnings.warn(f"{model}: {name} is no name that could be found again, so how the model was compiled is not "
                          "saved; call compile after loading", stacklevel=5)
            return None
    return config


def _loss_config(head: Any) -> Any:
    """The loss of an output; a function of the user's own by its name, in Keras 3's form."""
    given = head.given_loss
    if isinstance(given, FunctionType):
        name = get_registered_name(given)
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
    return given if isinstance(given, str) else losses.serialize(head.loss)


def _function(config: Any, custom: Objects) -> Any:
    """What a configuration of a function names: the caller's own, or the name alone; another one as it is."""
    if isinstance(config, dict) and config.get("class_name") == "function":
        config = config.get("config")
    return custom.get(config, config) if isinstance(config, str) else config


def _of_outputs(values: list[Any]) -> Any:
    """One for each output; of a single one the value itself, and None if there is none."""
    return values[0] if len(values) == 1 or values.count(None) == len(values) else values


def _leaves(value: Any) -> list[Any]:
    """What is in lists, one in the other."""
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list) else [value]


def compile_model(model: Any, config: Any, file: str, custom_objects: Mapping[str, Any] | None = None) -> None:
    """Compile a model as a file says; `custom_objects` has the caller's own classes and functions by name.

    Raises:
        ModelFileError: something in it is unknown; says what, and how to load the model without it.
    """
    if not isinstance(config, dict):
        raise ModelFileError(file, "compile", f"expected a dictionary, got {shown(config)}")
    custom = dict(known_objects(custom_objects))
    check_names(config, file, "compile", custom)
    try:
        model.compile(
            optimizer=_optimizer(config.get("optimizer", config.get("optimizer_config", "rmsprop")), custom),
            loss=_loss(config.get("loss"), custom),
            loss_weights=config.get("loss_weights") or None,
            metrics=_metrics(config.get("metrics"), custom),
            weighted_metrics=_metrics(config.get("weighted_metrics"), custom),
        )
    except Exception as error:  # whatever the values of a file can provoke in what they are arguments of
        hint = "load the model without it by compile=False"
        raise caused_by(error, file, "compile", f"{str(error)[:500]}; {hint}") from None


def _loss(config: Any, custom: Objects) -> Any:
    """One, or one for each output; Keras 2 has other words for the defaults, and may keep a list of one."""
    if isinstance(config, list):
        return [_loss(one, custom) for one in config]
    if isinstance(config, dict) and "class_name" not in config:
        return {name: _loss(one, custom) for name, one in config.items()}
    config = _function(config, custom)
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return config
    if config.get("class_name") in custom:
        return losses.deserialize(config, custom)
    inner = {key: value for key, value in config["config"].items() if key != "fn"}
    if inner.get("reduction") == "auto":
        inner["reduction"] = "sum_over_batch_size"
    return {**config, "config": inner}


def _optimizer(config: Any, custom: Objects) -> Any:
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        return config
    if config.get("class_name") in custom:
        return optimizers.deserialize(config, custom)
    inner = {key: value for key, value in config["config"].items() if key not in _OLD_ARGUMENTS}
    if "lr" in inner:
        inner["learning_rate"] = inner.pop("lr")
    if config.get("class_name") == "Nadam" and "decay" in inner:     # what Keras 2 calls it there
        inner["schedule_decay"] = inner.pop("decay")
    return {**config, "class_name": str(config.get("class_name")).removeprefix("Custom>"), "config": inner}


def _metrics(config: Any, custom: Objects) -> Any:
    """Metrics in the structure that the file has, for each output or for one."""
    count = 0

    def walk(part: Any) -> Any:
        nonlocal count
        if isinstance(part, list):
            return [walk(one) for one in part]
        if isinstance(part, dict) and "class_name" not in part:
            return {name: walk(one) for name, one in part.items()}
        count += part is not None
        if count > _MAX_METRICS:
            raise ValueError(f"expected at most {_MAX_METRICS} metrics, got more")
        return None if part is None else _metric(part, custom)

    return walk(config) if config else None


def _metric(config: Any, custom: Objects) -> Any:
    if isinstance(config, dict) and config.get("class_name") == "MeanMetricWrapper":    # Keras 2's form of a function
        inner = config["config"]
        return inner["name"] if inner.get("name") in ("accuracy", "acc", "crossentropy", "ce") else inner["fn"]
    inner = config.get("config") if isinstance(config, dict) else None
    thresholds = inner.get("num_thresholds", 0) if isinstance(inner, dict) else 0
    if thresholds > _MAX_THRESHOLDS:
        raise ValueError(f"expected at most {_MAX_THRESHOLDS} thresholds of a metric, got {shown(thresholds)}")
    config = _function(config, custom)
    if not isinstance(config, dict):
        return config
    return metrics.deserialize(config, custom)


# the optimizer ------------------------------------------------------------------------------------------------------


def optimizer_arrays(model: Any) -> list[np.ndarray]:
    """What the optimizer keeps, as Keras 3 orders it: the updates made, the learning rate unless a schedule gives it,
    and the arrays of the variables."""
    if not model.compiled:
        return []
    optimizer = model.optimizer
    rate = [] if _scheduled(optimizer) else [np.float32(optimizer.learning_rate)]
    last = [np.float32(value) for value in optimizer.last_values()] if optimizer.built else []
    return [np.asarray(array) for array in (np.int64(optimizer.batches), *rate, *optimizer.get_slots(), *last)]


def restore_optimizer(model: Any, stored: Sequence[tuple[str, Tensor]], file: str) -> None:
    """Give a compiled model's optimizer what a file has of it.

    Args:
        model: compiled and built.
        stored: by name, "" where only their order says what they are.
        file: name of the file, for errors.

    Raises:
        ModelFileError: it is of another optimizer or another model.
    """
    optimizer, variables = model.optimizer, model.trainable_weights
    if not stored:
        return
    batches = _scalar(stored[0][1], "iu", file)
    rest = list(stored[1:])
    wanted = optimizer.slots_of(variables)
    if stored[0][0].endswith("iter:0"):
        rest = _in_order(rest, optimizer)
    rate = None
    last = len(optimizer.last_values())
    if len(rest) in (1, len(wanted) + last + 1) and rest[0][1].shape == () and not _scheduled(optimizer):
        rate = _scalar(rest.pop(0)[1], "f", file)
    if rest and wanted:     # Keras 2 keeps zeros for an SGD without momentum
        if len(rest) == len(wanted) + last:     # Keras 2 has none of the last
            rest = rest[:len(wanted)]
        if len(rest) != len(wanted):
            raise ModelFileError(file, "optimizer", f"expected {len(wanted)} arrays for {optimizer} and this model, "
                                                    f"got {len(rest)}; load the model without it by compile=False")
        for (_, tensor), (variable, name, shape) in zip(rest, wanted):
            if shape:
                check_fits(tensor, file, shape, variable.dtype, f"{name} of '{variable.path}'")
            else:       # Keras keeps Adafactor's as whole numbers
                _scalar(tensor, "iuf", file)
        optimizer.build(variables)
        optimizer.set_slots([values(tensor, variable.dtype) for (_, tensor), (variable, _, _) in zip(rest, wanted)])
    optimizer.batches = int(batches)
    # The configuration has the rate with all its digits, the state has it as it was set since.
    if rate is not None and np.float32(rate) != np.float32(optimizer.learning_rate):
        optimizer.learning_rate = float(rate)


def _in_order(stored: list[tuple[str, Tensor]], optimizer: Any) -> list[tuple[str, Tensor]]:
    """What Keras 2's older optimizers kept, array kind by array kind, in the order of `slot_groups`."""
    by_slot: dict[str | None, list[tuple[str, Tensor]]] = {}
    known = {name for group in optimizer.slot_groups() for name in group}
    for name, tensor in stored:
        slot = _OLD_SLOTS.get(name.split("/")[-1].removesuffix(":0"))
        if slot == "velocity" and "norm" in known:      # Adamax calls it v
            slot = "norm"
        by_slot.setdefault(slot, []).append((name, tensor))
    ordered = []
    for group in optimizer.slot_groups():
        columns = [by_slot.pop(name, []) for name in group]
        ordered += [entry for row in zip(*columns) for entry in row]
    by_slot.pop(None, None)     # its learning rate and the like, which the configuration has
    return ordered


def _scheduled(optimizer: Any) -> bool:
    return isinstance(optimizer._learning_rate, optimizers.schedules.LearningRateSchedule)


def _scalar(tensor: Tensor, kinds: str, file: str) -> Any:
    if tensor.shape != () or tensor.dtype.kind not in kinds:
        raise ModelFileError(file, tensor.place, f"expected one number, got {tensor.dtype.name} of shape "
                                                 f"{tensor.shape}")
    value = tensor.read().item()
    if not 0 <= value < 1 << 63:
        raise ModelFileError(file, tensor.place, f"expected a number of 0 or more, got {value}")
    return value


# random numbers -----------------------------------------------------------------------------------------------------


def random_states(model: Any) -> dict[str, list[int]]:
    """Where the generators of the layers with a seed stand, by their place in native files."""
    found = {}
    for part in locations.parts(model):
        generator = getattr(part.layer, "_rng", None)
        if generator is not None:
            found[part.native] = runtime.generator_state(generator)
    return found


def restore_random(model: Any, stored: Any, file: str) -> None:
    """Set the generators of the layers with a seed to where they stood; those that `stored` does not have stay."""
    if not isinstance(stored, dict):
        raise ModelFileError(file, "random", f"expected a dictionary, got {shown(stored)}")
    for part in locations.parts(model):
        generator, state = getattr(part.layer, "_rng", None), stored.get(part.native)
        if generator is None or state is None:
            continue
        try:
            runtime.set_generator_state(generator, state)
        except ValueError:
            raise ModelFileError(file, f"random: {part.native}", f"expected six numbers, got {shown(state)}") from None
