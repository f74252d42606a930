# SPDX-License-Identifier: Apache-2.0
"""What CIFAR-10 and CIFAR-100 share: the files of pictures (Krizhevsky 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastrnn.datasets.files import ArraysAlone, Pair


def read(paths: Sequence[str], labels: str) -> Pair:
    """The pictures of some files, uint8 `(pictures, 32, 32, 3)`, and their labels, uint8 `(pictures, 1)`.

    Args:
        paths: of the files.
        labels: what the files call the labels.
    """
    pictures, numbers = [], []
    for path in paths:
        with open(path, "rb") as file:
            content = ArraysAlone(file, encoding="bytes").load()
        pictures.append(content[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        numbers.append(np.array(content[labels.encode()], "uint8")[:, None])
    return np.concatenate(pictures), np.concatenate(numbers)
