# SPDX-License-Identifier: Apache-2.0
"""What Keras 1 and 2 spelled otherwise, as Keras 3 has it: so that Keras 3 can say what an old program should give."""

from __future__ import annotations

import re

SPELLINGS = [
    (r"from tensorflow import keras$", "import keras"),
    (r"from tensorflow\.keras import backend as K$", "from keras._tf_keras.keras import backend as K"),
    (r"from tensorflow\.(python\.)?keras([\w.]*) import", r"from keras\2 import"),
    (r"from keras\.layers import recurrent$", "from keras import layers as recurrent"),
    (r"from keras\.layers\.\w+ import", "from keras.layers import"),
    (r"from keras\.utils import np_utils$", "from keras import utils as np_utils"),
    (r"from keras\.engine\.\w+ import", "from keras.layers import"),
    (r"from keras\.engine import", "from keras.layers import"),
    (r"from keras\.utils\.\w+_utils import", "from keras.utils import"),
    (r"from keras import backend as K$", "from keras._tf_keras.keras import backend as K"),
    (r"import keras\.backend as K$", "import keras._tf_keras.keras.backend as K"),
    (r"from keras\.preprocessing\.text import", "from keras._tf_keras.keras.preprocessing.text import"),
    (r"from keras\.preprocessing\.sequence import (T|m|s)", r"from keras.src.legacy.preprocessing.sequence import \1"),
    (r"\bfit_generator\((generator=)?", "fit("),
    (r"\bevaluate_generator\(", "evaluate("),
    (r"\bpredict_generator\(", "predict("),
    (r"\bpredict_proba\(", "predict("),
    (r"\bpredict_classes\(([^()]*)\)", r"predict(\1).argmax(-1)"),
    (r"^(from keras\.layers import .*)\bmerge\b", r"\1add, concatenate, multiply"),
    (r"\bmerge\((\[.*\]), mode=\"concat\", concat_axis=(-?\d)\)", r"concatenate(\1, axis=\2)"),
    (r"\bmerge\((\[.*\]), mode=\"concat\"\)", r"concatenate(\1)"),
    (r"\bmerge\((\[.*\]), mode=\"mul\"\)", r"multiply(\1)"),
    (r"\bmerge\((\[.*\]), mode=\"sum\"\)", r"add(\1)"),
    (r"\boutput_dim=(\w+), (activation|return_sequences)", r"units=\1, \2"),
    (r"\binput=(\w+|\[.*\]), output=", r"inputs=\1, outputs="),
    (r"\bnb_epoch=", "epochs="),
    (r"\blr=", "learning_rate="),
    (r"\bCuDNN(LSTM|GRU)\b", r"\1"),
    (r"\binput_dim=(\w+), input_length=(\w+)\)", r"input_dim=\1)"),
    (r", input_length=\w+", ""),
]


def in_keras_3(source: str) -> str:
    """The program as Keras 3 takes it, with the same meaning."""
    for old, new in SPELLINGS:
        source = re.sub(old, new, source, flags=re.MULTILINE)
    return source
