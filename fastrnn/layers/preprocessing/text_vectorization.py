# SPDX-License-Identifier: Apache-2.0
"""TextVectorization: texts to indices of their words, or to vectors of how often each is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, Unpack

import numpy as np

from fastrnn import arrays
from fastrnn.graph.symbol import has_symbols
from fastrnn.layers.arguments import UnnamedArguments
from fastrnn.layers.base import Shape
from fastrnn.layers.preprocessing.base import Preparing
from fastrnn.layers.preprocessing.batches import batches, is_one_array
from fastrnn.layers.preprocessing.encoding import check_mode
from fastrnn.layers.preprocessing.pipelines import is_tensor_of_a_pipeline
from fastrnn.layers.preprocessing.string_lookup import StringLookup
from fastrnn.layers.preprocessing.text import (
    SPLITS,
    STANDARDS,
    Rows,
    as_bytes,
    fit_length,
    ngrams,
    padded,
    rows_of,
    standardized,
)
from fastrnn.layers.preprocessing.vocabulary import MODES, refuse_file


class TextVectorization(Preparing):
    """Texts to numbers: standardize each, split it into tokens, join these to n-grams, look them up in a vocabulary.

    Args:
        max_tokens: most entries of the vocabulary, those for padding and unknown tokens among them; None for no limit.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", None; or a function from an array of
            texts to one of the same shape. Letters and signs are those of ASCII, as with Keras's.
        split: "whitespace", "character", None; or a function from an array of texts (batch,) to a list of tokens for
            each.
        ngrams: None; a tuple of numbers of tokens to join; or the largest one, from 1.
        output_mode: "int": the tokens' indices, with zeros behind those of short texts. "multi_hot": for each text a
            vector with a 1 for each token in it. "count": how often each is in it. "tf_idf": that times the token's
            weight; see `StringLookup`.
        output_sequence_length: in "int" mode, to how many tokens texts are cut or filled up; None for the longest.
        pad_to_max_tokens: vectors have `max_tokens` elements.
        vocabulary: the tokens in order, or the name of a file with one in a line; None to learn them by `adapt`.
        idf_weights: of the tokens, in "tf_idf" mode.
        sparse: False.
        ragged: in "int" mode, give a list of indices for each text; not within a model.
        encoding: of texts that are bytes.

    Input shape: `(batch,)` or `(batch, 1)` of strings; any, where nothing is split.

    Output shape: `(batch, tokens)`, or `(batch, size of the vocabulary)`.

    Raises:
        ValueError: an argument does not fit the others; at a call, for what is no string.

    Example:

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["foo bar", "bar baz", "baz, bada boom!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
    >>> layer(["foo qux bar", "qux baz"])
    array([[4, 1, 3, 0],
           [1, 2, 0, 0]])
    """

    input_kind = "string"
    takes_custom_objects = True

    def __init__(self, max_tokens: int | None = None, standardize: Any = "lower_and_strip_punctuation",
                 split: Any = "whitespace", ngrams: int | Sequence[int] | None = None, output_mode: str = "int",
                 output_sequence_length: int | None = None, pad_to_max_tokens: bool = False, vocabulary: Any = None,
                 idf_weights: Any = None, sparse: bool = False, ragged: bool = False, encoding: str = "utf-8",
                 name: str | None = None, *, vocabulary_size: int | None = None,
                 has_input_vocabulary: bool | None = None, **kwargs: Unpack[UnnamedArguments]) -> None:
        super().__init__(name=name, **kwargs)
        for argument, given, known in (("standardize", standardize, STANDARDS), ("split", split, SPLITS)):
            if not (given is None or callable(given) or (isinstance(given, str) and given in known)):
                raise ValueError(f"{self} {argument}: expected {', '.join(map(repr, known))}, None or a function, got "
                                 f"{given!r}")
        self.output_mode = check_mode(output_mode, tuple(mode for mode in MODES if mode != "one_hot"), str(self))
        widths = range(1, ngrams + 1) if isinstance(ngrams, int) and not isinstance(ngrams, bool) else ngrams
        if widths is not None and not (isinstance(widths, (range, list, tuple)) and len(widths) and all(
                isinstance(width, int) and width > 0 for width in widths)):
            raise ValueError(f"{self} ngrams: expected None, a whole number over 0 or a tuple of them, got {ngrams!r}")
        if output_sequence_length is not None:
            if self.output_mode != "int":
                raise ValueError(f"{self} output_sequence_length: expected None, as output_mode is {output_mode!r}, "
                                 f"got {output_sequence_length!r}")
            self.count_of("output_sequence_length", output_sequence_length)
        if ragged and self.output_mode != "int":
            raise ValueError(f"{self} ragged: expected False, as output_mode is {output_mode!r}, got True")
        self.standardize, self.split, self.ragged = standardize, split, bool(ragged)
        self.ngrams = tuple(ngrams) if isinstance(ngrams, (list, tuple)) else ngrams
        self._widths = None if widths is None else tuple(widths)
        self.output_sequence_length, self.encoding = output_sequence_length, encoding
        self.lookup = StringLookup(
            max_tokens=max_tokens, mask_token="", vocabulary=vocabulary, idf_weights=idf_weights,
            output_mode=self.output_mode, pad_to_max_tokens=pad_to_max_tokens, sparse=sparse, encoding=encoding,
            vocabulary_size=vocabulary_size, has_input_vocabulary=has_input_vocabulary, dtype=self.dtype,
            name=f"{self.name}_lookup")

    # the vocabulary ------------------------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the tokens of the texts, the most frequent first; of those that are equally frequent
        the last in order first.

        Args:
            data: an array or a list of texts, or batches of them.
            batch_size: without effect, as in Keras.
            steps: how many batches to take, all by default.

        Raises:
            ValueError: the vocabulary was given.
        """
        self.reset_state()
        if is_one_array(data):
            x = arrays.as_strings(data, f"{self} data")
            self.update_state(x[:, None] if x.ndim == 1 else x)
        else:
            for batch in batches(data, steps, f"{self} adapt"):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch of texts.

        Args:
            data: an array of texts.
        """
        x = arrays.as_strings(data, f"{self} data")
        self._check_shape(x.shape)
        rows, shape = self._tokens(x)
        if shape is not None and len(shape) < 2:
            rows = Rows(rows.tokens, np.array([len(rows.tokens)]))
        self.lookup.count(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted."""
        self.lookup.finalize_state()

    def reset_state(self) -> None:
        """Forget what was counted; the vocabulary stays."""
        self.lookup.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens by their indices; see `StringLookup`."""
        return self.lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, those for padding and unknown ones among them."""
        return self.lookup.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the tokens in place of those there are; see `StringLookup`."""
        self.lookup.set_vocabulary(vocabulary, idf_weights)

    # texts to tokens -----------------------------------------------------------------------------------------------

    def check_input(self, x: Any) -> np.ndarray:
        x = arrays.as_strings(x, f"{self} input")
        self._check_shape(x.shape)
        return x

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if self.split is not None and len(shape) > 1 and (len(shape) > 2 or shape[-1] != 1):
            raise ValueError(f"{self}: expected texts (batch,) or (batch, 1), as they are split, got {shape}")

    def _tokens(self, x: np.ndarray) -> tuple[Rows, tuple[int, ...] | None]:
        """Texts as rows of tokens, and the shape that these have; None where rows may have any lengths."""
        shape: tuple[int, ...] | None = x.shape
        if callable(self.standardize):
            x = self._result(self.standardize(self._for_functions(x)), "standardize", x.shape)
        texts = as_bytes(x.ravel().tolist())
        if isinstance(self.standardize, str):
            texts = standardized(texts, self.standardize)
        if self.split is None:
            rows = Rows(texts, np.full(x.size // x.shape[-1] if x.size else 0, x.shape[-1]) if x.ndim > 1
                        else np.array([x.size]))
        else:
            rows = self._split(texts, x)
            shape = None if x.ndim else (len(rows.tokens),)
        if self._widths is not None:
            rows = ngrams(rows, self._widths)
            if shape is not None:
                shape = (*shape[:-1], int(rows.lengths.max(initial=0)))
        return rows, shape

    def _split(self, texts: list[bytes], x: np.ndarray) -> Rows:
        if isinstance(self.split, str):
            return rows_of(map(SPLITS[self.split], texts))
        given = self._for_functions(x[:, 0] if x.ndim > 1 else x)
        if callable(self.standardize) is False and self.standardize is not None:
            given = np.array([text.decode(self.encoding) for text in texts]).reshape(given.shape)
        parts = self.split(given)
        parts = parts.to_list() if hasattr(parts, "to_list") else list(parts)
        if x.ndim == 0:
            parts = [parts]
        what = f"{self} split: its result"
        rows = rows_of(as_bytes(arrays.as_strings(part, what).ravel().tolist()) for part in parts)
        if len(rows.lengths) != len(texts):
            raise ValueError(f"{what}: expected a list of tokens for each of {len(texts)} texts, got "
                             f"{len(rows.lengths)}")
        return rows

    def _for_functions(self, x: np.ndarray) -> np.ndarray:
        """Texts as NumPy's functions of strings take them."""
        texts = x.ravel().tolist()
        return np.array([text.decode(self.encoding) if isinstance(text, bytes) else text for text in texts],
                        np.str_).reshape(x.shape)

    def _result(self, found: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
        x = arrays.as_strings(found, f"{self} {name}: its result")
        if x.shape != shape:
            raise ValueError(f"{self} {name}: its result: expected texts of shape {shape}, got {x.shape}")
        return x

    # tokens to numbers ---------------------------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        """The numbers for texts; for a symbol of texts the symbol of them; see `Layer`. With `ragged` a list of indices
        for each text."""
        if self.ragged and not has_symbols(x) and not is_tensor_of_a_pipeline(x):
            rows, shape = self._tokens(self.check_input(x))
            lists = Rows(self.lookup.indices(rows.tokens).tolist(), rows.lengths).lists()
            lists = [one[:self.output_sequence_length] for one in lists]
            return lists if shape is None else lists[0] if len(shape) < 2 else lists
        return super().__call__(x, training, mask)

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        if self.ragged:
            raise ValueError(f"{self} ragged: expected False within a model, whose layers take arrays, got True")
        return super().connect(*args, **kwargs)

    def prepared(self, x: np.ndarray) -> np.ndarray:
        rows, shape = self._tokens(x)
        indices = self.lookup.indices(rows.tokens)
        if self.output_mode != "int":
            return self.lookup.encoded(indices, rows) if shape is None else self.lookup.encoded(indices.reshape(shape))
        if shape is None:
            return padded(indices, rows.lengths, self.output_sequence_length)
        found = indices.reshape(shape)
        return found if self.output_sequence_length is None or not shape else fit_length(found,
                                                                                          self.output_sequence_length)

    @property
    def output_dtype(self) -> str:
        return self.lookup.output_dtype

    def compute_output_shape(self, *input_shapes: Any) -> Shape:
        shape = tuple(input_shapes[0])
        if self.output_mode == "int":
            if self.split is not None:
                return (*shape[:1], self.output_sequence_length)
            last = self.output_sequence_length or (shape[-1:] or (1,))[0]
            return (*shape[:-1], last)
        if self.split is not None:
            shape = (*shape[:1], None)
        return self.lookup.compute_output_shape(shape)

    # configuration -------------------------------------------------------------------------------------------------

    def own_functions(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for one in (self.standardize, self.split):
            if callable(one):
                found[one.__name__] = one
        return found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_tokens": self.lookup.max_tokens,
                "standardize": _plain(self.standardize), "split": _plain(self.split), "ngrams": self.ngrams,
                "output_mode": self.output_mode, "output_sequence_length": self.output_sequence_length,
                "pad_to_max_tokens": self.lookup.pad_to_max_tokens, "sparse": False, "ragged": self.ragged,
                "encoding": self.encoding, **self.lookup.vocabulary_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """Build the layer from what `get_config` gave; a vocabulary is a list there, and no file is read.

        Args:
            config: the dictionary, or Keras's.
            custom_objects: your own functions by name.
        """
        refuse_file(config, cls.__name__)
        arguments = dict(config)
        for name in "standardize", "split":
            if name in config:
                arguments[name] = _function(config[name], custom_objects, f"{cls.__name__} {name}")
        return cls(**arguments)


def _plain(value: str | Callable[..., Any] | None) -> Any:
    """A function in Keras 3's form."""
    if not callable(value):
        return value
    return {"module": "builtins", "class_name": "function", "config": value.__name__, "registered_name": "function"}


def _function(value: Any, custom_objects: Mapping[str, Any] | None, what: str) -> Any:
    """What `_plain` was given; a function is looked up among the caller's."""
    if not isinstance(value, Mapping):
        return value
    name = str(value["config"] if isinstance(value.get("config"), str) else value.get("registered_name"))
    for known in (name, name.split(">")[-1]):
        if custom_objects and known in custom_objects:
            return custom_objects[known]
    raise ValueError(f"{what}: is a function {name!r}, which is not among those given; pass it by custom_objects")
