"""The compiled kernels of one instruction set and one scalar type; fastrnn._core chooses among them.

Everything here takes NumPy arrays that the caller owns, checks their type and shape, and runs without the GIL.
"""
cimport numpy as cnp
from libc.string cimport memcpy
from numpy cimport ndarray
from dims cimport *
from team cimport *

cnp.import_array()

include "arrays.pxi"
include "threads.pxi"
include "blas.pxi"
include "tile.pxi"
include "gates.pxi"
include "pack.pxi"
include "recurrent.pxi"
include "blas_projection.pxi"
include "gate_block.pxi"
include "recurrent_back.pxi"
include "weight_gradients.pxi"
include "blas_weights.pxi"
include "simple_rnn.pxi"
include "lstm.pxi"
include "gru.pxi"
include "plan.pxi"
include "problem.pxi"
include "forward.pxi"
include "split.pxi"
include "inference.pxi"
include "row_groups.pxi"
include "backward.pxi"
include "dense.pxi"
include "pointwise.pxi"
include "embedding.pxi"
include "softmax.pxi"
include "crossentropy.pxi"
include "accuracy.pxi"
include "updates.pxi"

VECTOR_LENGTH = VL
