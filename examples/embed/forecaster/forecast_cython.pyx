# SPDX-License-Identifier: Apache-2.0
"""A model that goes on by itself: what it gives is what it is given next."""
import os

from fastrnn.capi cimport (
    FASTRNN_FLOAT32, FASTRNN_OK, fastrnn_error_text, fastrnn_import, fastrnn_input_type, fastrnn_input_width,
    fastrnn_model, fastrnn_model_free, fastrnn_open, fastrnn_output_width, fastrnn_reset, fastrnn_step, fastrnn_stream,
    fastrnn_stream_free, fastrnn_stream_new,
)

fastrnn_import()


cdef class Forecaster:
    """Forecaster(path): goes on with a series by the model in a file."""

    cdef fastrnn_model* model
    cdef fastrnn_stream* stream

    def __cinit__(self, path):
        fastrnn_open(os.fsencode(path), &self.model)
        if fastrnn_input_type(self.model) != FASTRNN_FLOAT32 or fastrnn_input_width(self.model) != 1 \
                or fastrnn_output_width(self.model) != 1:
            raise ValueError("Forecaster path: expected a float32 model from one number to one number")
        fastrnn_stream_new(self.model, 1, 1, 1, 1, &self.stream)

    def __dealloc__(self):
        fastrnn_stream_free(&self.stream)
        fastrnn_model_free(&self.model)

    def forecast(self, const float[::1] history, float[::1] out):
        """forecast(history, out): fill `out` with what follows `history`."""
        cdef int code
        cdef Py_ssize_t i
        cdef float next = 0
        with nogil:
            code = fastrnn_reset(self.stream, 0, NULL)
            for i in range(history.shape[0]):
                if code == FASTRNN_OK:
                    code = fastrnn_step(self.stream, 1, NULL, &history[i], &next)
            for i in range(out.shape[0]):
                out[i] = next
                if code == FASTRNN_OK:
                    code = fastrnn_step(self.stream, 1, NULL, &out[i], &next)
        if code != FASTRNN_OK:
            raise RuntimeError(f"forecast: {fastrnn_error_text(code).decode()}")
