# SPDX-License-Identifier: Apache-2.0
"""The table of a model's layers."""

from __future__ import annotations

import pytest

import fastrnn
from fastrnn.layers import LSTM, Dense


def model() -> fastrnn.Sequential:
    return fastrnn.Sequential([fastrnn.Input((None, 3)), LSTM(4, name="encoder"),
                               Dense(2, name="head", trainable=False)], name="small")


def test_the_table(capsys):
    model().summary(line_length=60)
    assert capsys.readouterr().out == """\
Model: "small"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━┓
┃ Layer (type)             ┃ Output Shape       ┃  Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━┩
│ encoder (LSTM)           │ (None, 4)          │      128 │
├──────────────────────────┼────────────────────┼──────────┤
│ head (Dense)             │ (None, 2)          │       10 │
└──────────────────────────┴────────────────────┴──────────┘
 Total params: 138 (552.00 B)
 Trainable params: 128 (512.00 B)
 Non-trainable params: 10 (40.00 B)
"""


@pytest.mark.parametrize("length", [40, 60, 88, 120])
def test_the_width(length):
    texts: list[str] = []
    model().summary(line_length=length, print_fn=texts.append)
    assert len(texts) == 1
    table = [line for line in texts[0].split("\n") if line[0] in "┏┃┡│├└"]
    assert {len(line) for line in table} == {length}


def test_positions():
    texts: list[str] = []
    model().summary(line_length=80, positions=[0.5, 0.75, 1.0], print_fn=texts.append)
    model().summary(line_length=80, positions=[40, 60, 80], print_fn=texts.append)
    assert texts[0] == texts[1]
    assert texts[0].split("\n")[1].index("┳") == 40
    for bad in ([0.5, 1.0], [0.8, 0.4, 1.0], [0.01, 0.5, 1.0]):
        with pytest.raises(ValueError, match="summary"):
            model().summary(line_length=80, positions=bad)


def test_too_narrow():
    with pytest.raises(ValueError, match="too narrow"):
        model().summary(line_length=12)


def test_long_names_are_wrapped():
    texts: list[str] = []
    fastrnn.Sequential([fastrnn.Input((3,)), Dense(2, name="a" * 70)]).summary(line_length=60, print_fn=texts.append)
    rows = [line for line in texts[0].split("\n") if line.startswith("│")]
    assert len(rows) > 2 and {len(row) for row in rows} == {60}
    assert "".join(row.split("│")[1].strip() for row in rows) == "a" * 70 + "(Dense)"


def test_before_it_is_built():
    texts: list[str] = []
    fastrnn.Sequential([LSTM(4)]).summary(print_fn=texts.append)
    assert "?" in texts[0] and "0 (unbuilt)" in texts[0] and "Total params: 0 (0.00 B)" in texts[0]


def test_sizes_in_other_units():
    texts: list[str] = []
    fastrnn.Sequential([fastrnn.Input((1000,)), Dense(1000, use_bias=False)]).summary(print_fn=texts.append)
    assert "1,000,000 (3.81 MB)" in texts[0]
