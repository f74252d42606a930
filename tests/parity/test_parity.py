# SPDX-License-Identifier: Apache-2.0
"""Small models of every cell, option, structure, loss, optimizer, mask, metric and weight, trained by Keras and by
fastrnn from the same weights: three epochs give the same histories, weights and predictions."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import fastrnn
from tests.parity.building import build, precision, trained
from tests.parity.cases import CASES, FACTORS, Case
from tests.parity.running import on_keras

#: So many are trained by `make test`; `make test-full` trains the others, too.
QUICK = 60


@pytest.fixture(scope="module")
def expected(request) -> dict[Case, dict[str, Any]]:
    """Keras's results for the cases that were asked for, all at once: importing a backend is what takes longest."""
    asked = [item.callspec.params["case"] for item in request.session.items
             if getattr(item, "originalname", "") == "test_three_epochs" and item.module is request.module]
    return on_keras(asked)


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case), marks=[pytest.mark.slow] if at >= QUICK else [])
                                  for at, case in enumerate(CASES)])
def test_three_epochs(case, expected):
    theirs = expected[case]
    assert "error" not in theirs, theirs["error"]
    with precision(fastrnn, case):
        model = build(fastrnn, case)
        model.set_weights(theirs["begin"])
        ours = trained(model, fastrnn, case)
    assert list(ours["history"]) == list(theirs["history"])
    for name, values in theirs["history"].items():
        np.testing.assert_allclose(ours["history"][name], values, rtol=2e-4, atol=2e-4, err_msg=name)
    for at, (got, wanted) in enumerate(zip(ours["weights"], theirs["weights"], strict=True)):
        np.testing.assert_allclose(got, wanted, rtol=2e-4, atol=2e-4, err_msg=f"weight {at}")
    np.testing.assert_allclose(ours["predictions"], theirs["predictions"], rtol=2e-4, atol=2e-4, err_msg="predictions")


def test_every_two_values_meet():
    assert len(CASES) == len(set(CASES)) >= 200
    met = {pair for case in CASES for pair in itertools.combinations(enumerate(case), 2)}
    values = [[(at, value) for value in FACTORS[name]] for at, name in enumerate(FACTORS)]
    for one, two in itertools.combinations(values, 2):
        assert met >= set(itertools.product(one, two))


def test_no_value_waits_for_the_full_run():
    for at, values in enumerate(FACTORS.values()):
        assert {case[at] for case in CASES[:QUICK]} == set(values)
