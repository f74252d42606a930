# SPDX-License-Identifier: Apache-2.0
"""What users pass in as an array: each kind becomes NumPy's array, or an error that says what it is and the way out."""

from __future__ import annotations

import array

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from fastrnn.arrays import as_array, as_float, as_index, is_array_like

VALUES = np.arange(12, dtype="float32").reshape(4, 3)


class DLPackAlone:
    """An array of a library that hands it on by DLPack and in no other way."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __dlpack__(self, **options):
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.data.__dlpack_device__()


KINDS = {
    "nested lists": VALUES.tolist(),
    "list of arrays": list(VALUES),
    "memoryview": memoryview(VALUES),
    "list of memoryviews": [memoryview(row) for row in VALUES],
    "DLPack alone": DLPackAlone(VALUES),
    "list of DLPack alone": [DLPackAlone(row) for row in VALUES],
    "tensor": torch.from_numpy(VALUES),
    "tensor that requires a gradient": torch.from_numpy(VALUES.copy()).requires_grad_(),
    "parameter": torch.nn.Parameter(torch.from_numpy(VALUES.copy())),
    "bfloat16 tensor": torch.from_numpy(VALUES).bfloat16(),
    "bfloat16 tensor that requires a gradient": torch.from_numpy(VALUES).bfloat16().requires_grad_(),
    "float8 tensor": torch.from_numpy(VALUES).to(torch.float8_e5m2).float().to(torch.float8_e4m3fn),
    "list of tensors that require a gradient": list(torch.from_numpy(VALUES.copy()).requires_grad_()),
    "tuple of bfloat16 tensors": tuple(torch.from_numpy(VALUES).bfloat16()),
    "bfloat16 array": VALUES.astype(ml_dtypes.bfloat16),
    "table": pd.DataFrame(VALUES),
    "table of integers and floats": pd.DataFrame(VALUES).astype({0: "int64"}),
    "table of nullable integers": pd.DataFrame(VALUES).astype("Int64"),
    "table with nullable integers": pd.DataFrame(VALUES).astype({1: "Int64", 2: "Float32"}),
    "table with numbers as categories": pd.DataFrame(VALUES).astype({1: "category"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_holds_the_same_numbers(kind):
    expected = VALUES
    if kind == "float8 tensor":     # which has three bits behind the point
        expected = KINDS[kind].float().numpy()
    found = as_float(KINDS[kind])
    assert type(found) is np.ndarray and found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "float8 tensor"])
def test_every_kind_as_indices(kind):
    found = as_index(KINDS[kind], 12)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, VALUES)


def test_columns_of_one_kind_and_columns_of_several():
    table = pd.DataFrame({"a": [1.5, 2.5], "b": [True, False], "c": pd.array([3, None], "Int64")})
    np.testing.assert_array_equal(as_float(table, "float64"), [[1.5, 1, 3], [2.5, 0, np.nan]])
    np.testing.assert_array_equal(as_float(table["c"]), np.array([3, np.nan], "float32"))
    np.testing.assert_array_equal(as_float(table["b"]), [1, 0])


def test_no_copy_where_none_is_needed():
    for kind in ("memoryview", "DLPack alone", "tensor"):
        assert np.shares_memory(as_float(KINDS[kind]), VALUES), kind


def test_a_scalar_and_a_flat_buffer():
    assert as_float(3).shape == () and as_float(np.float64(3)).shape == ()
    assert as_float(array.array("i", [1, 2])).tolist() == [1, 2]
    assert as_float([np.float64(1), np.float64(2)]).tolist() == [1, 2]
    assert as_float([]).shape == (0,)


CATEGORIES = pd.Series(["good", "bad"], dtype="category")
REFUSED = {
    "ragged": ([[1, 2, 3], [4, 5]], r"ragged sequence \(\[0\] has shape \(3,\), \[1\] \(2,\)\).*pad_sequences"),
    "ragged further in": ([[[1], [2]], [[3], [4, 5]]], r"\[1\]\[0\] has shape \(1,\), \[1\]\[1\] \(2,\).*pad_"),
    "arrays of two lengths": ([np.ones((5, 3)), np.ones((2, 3))], r"\[0\] has shape \(5, 3\), \[1\] \(2, 3\)"),
    "arrays of two widths": ([np.ones((5, 3)), np.ones((5, 2))], r"\[0\] has shape \(5, 3\), \[1\] \(5, 2\)"),
    "tensors of two lengths": ([torch.ones(5, 3), torch.ones(2, 3)], r"\[0\] has shape .*5, 3.*\[1\] .*2, 3.*pad_seq"),
    "a number among lists": ([[1, 2], 3], r"\[0\] has shape \(2,\), \[1\] \(\)"),
    "arrays in an array": (np.array([[1, 2], [3]], object), "objects.*pad_sequences"),
    "series of lists": (pd.Series([[1, 2], [3, 4]]), "objects.*pad_sequences"),
    "dictionary": ({"a": 1, "b": 2}, "a dictionary with 'a', 'b'; pass the array itself"),
    "empty dictionary": ({}, "a dictionary with nothing"),
    "categories": (CATEGORIES, r"categories \(Series\).*x\.cat\.codes.*get_dummies"),
    "categories that are numbers": (pd.Series([3, 5], dtype="category"), "categories.*codes"),
    "bare categories": (pd.Categorical(["a", "b"]), "categories"),
    "table with text": (pd.DataFrame({"age": [1.0], "job": ["clerk"]}), r"column.*'job' \((str|object)\).*select"),
    "table with dates": (pd.DataFrame({"a": [1.0], "when": pd.to_datetime(["2020-01-01"])}), "'when' .datetime64"),
    "table with categories": (pd.DataFrame({"a": [1.0, 2.0], "kind": CATEGORIES}), r"'kind' \(category\)"),
    "wide table of text": (pd.DataFrame([["a"] * 9 + [1]]), r"4 \((str|object)\) and 4 more"),
    "series of text": (pd.Series(["a", "b"], dtype=object), "strings.*Tokenizer"),
    "sparse matrix": (scipy.sparse.csr_matrix(VALUES), r"csr_matrix.*sparse matrix; pass x\.toarray\(\)"),
    "sparse tensor": (torch.from_numpy(VALUES).to_sparse(), "Tensor.*to_dense"),
    "complex tensor": (torch.zeros(2, dtype=torch.complex64), "complex numbers"),
    "None": (None, "got None"),
    "no array": (object(), "got object"),
    "generator": ((i for i in [1, 2]), "got generator"),
    "records": (np.zeros(2, [("a", "f4")]), "records"),
    "raw bytes": (np.zeros(2, "V2"), "records"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_holds_no_numbers_says_so(kind):
    bad, message = REFUSED[kind]
    for convert in (lambda: as_float(bad, "float32", "LSTM 'encoder' input"),
                    lambda: as_index(bad, 10, "LSTM 'encoder' input")):
        with pytest.raises(ValueError, match=f"(?s)^LSTM 'encoder' input: expected .*{message}"):
            convert()


def test_any_dtype_stays_what_it_is():
    words = np.array(["a", "b"])
    assert as_array(words) is words
    assert as_array([True, False]).dtype == bool
    assert as_array([[1, 2]]).dtype.kind == "i"


def test_what_is_one_array():
    arrays = ["memoryview", "DLPack alone", "tensor", "table", "bfloat16 array"]
    assert all(is_array_like(KINDS[kind]) for kind in arrays)
    more = [np.float32(1), b"text", array.array("f"), CATEGORIES, scipy.sparse.csr_matrix(VALUES)]
    assert all(map(is_array_like, more))
    assert not any(map(is_array_like, [[1], (1,), 1.0, "text", None, {}, iter([1]), range(3)]))
