"""The compiled kernels of one instruction set and one scalar type; fastrnn._core chooses among them.

Everything here takes NumPy arrays that the caller owns, checks their type and shape, and runs without the GIL.
"""
cimport numpy as cnp
from libc.string cimport memcpy, memset
from numpy cimport ndarray
from dims cimport *
from team cimport *

cnp.import_array()

include "base/arrays.pxi"
include "base/threads.pxi"
include "base/signals.pxi"
include "base/blas.pxi"
include "product/tile.pxi"
include "base/activations.pxi"
include "product/pack.pxi"
include "product/rows.pxi"
include "product/weight_gradients.pxi"
include "product/blas_weights.pxi"
include "serving/runner.pxi"
include "recurrent/states.pxi"
include "recurrent/projection.pxi"
include "recurrent/block.pxi"
include "recurrent/states_back.pxi"
include "cells/table.pxi"
include "recurrent/plan.pxi"
include "recurrent/call.pxi"
include "recurrent/forward.pxi"
include "recurrent/split.pxi"
include "recurrent/groups.pxi"
include "recurrent/backward.pxi"
include "recurrent/runner.pxi"
include "recurrent/packing.pxi"
include "layers/pointwise.pxi"
include "layers/embedding.pxi"
include "layers/softmax.pxi"
include "layers/dense.pxi"
include "layers/windows.pxi"
include "layers/convolution_weights.pxi"
include "layers/convolution.pxi"
include "layers/convolution_runner.pxi"
include "layers/depthwise.pxi"
include "layers/pooling.pxi"
include "layers/normalization.pxi"
include "serving/line.pxi"
include "serving/operations.pxi"
include "serving/recurrent_frames.pxi"
include "serving/program.pxi"
include "serving/frames.pxi"
include "serving/stream.pxi"
include "serving/handles.pxi"
include "serving/capi.pxi"
include "training/crossentropy.pxi"
include "training/accuracy.pxi"
include "training/ctc.pxi"
include "training/updates.pxi"

VECTOR_LENGTH = VL
