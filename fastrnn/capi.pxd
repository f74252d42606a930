# SPDX-License-Identifier: Apache-2.0
# fastrnn from Cython, without Python between the steps: `from fastrnn.capi cimport fastrnn_open, fastrnn_step`. What
# each function does is in include/fastrnn.h, whose folder, `fastrnn.get_include()`, the extension's include_dirs need.
from libc.stdint cimport int32_t, int64_t

cdef extern from "fastrnn.h" nogil:
    enum:
        FASTRNN_VERSION
        FASTRNN_OK
        FASTRNN_PACKAGE
        FASTRNN_FILE
        FASTRNN_LAYER
        FASTRNN_MEMORY
        FASTRNN_SIZE
        FASTRNN_CLOSED
        FASTRNN_BUSY
        FASTRNN_NULL
        FASTRNN_ROWS
        FASTRNN_STEPS
        FASTRNN_SLOT
        FASTRNN_SLOT_TWICE
        FASTRNN_LENGTH
        FASTRNN_INDEX
        FASTRNN_FLOAT32
        FASTRNN_FLOAT64
        FASTRNN_INT32

    ctypedef struct fastrnn_model:
        const fastrnn_functions* functions
        void* owner
        int32_t input_type, output_type
        int64_t input_width, output_width, indices
        int32_t gives_steps

    ctypedef struct fastrnn_stream:
        const fastrnn_functions* functions
        void* owner

    ctypedef struct fastrnn_functions:
        int32_t version, size
        object (*stream_new)(fastrnn_model*, int64_t slots, int64_t rows, int64_t steps, int64_t threads)
        int (*stream_close)(fastrnn_stream*) noexcept
        int (*step)(fastrnn_stream*, int64_t N, const int32_t* slots, const void* x, void* y) noexcept
        int (*feed)(fastrnn_stream*, int64_t N, int64_t T, const int32_t* slots, const int32_t* lengths, const void* x,
                    void* y) noexcept
        int (*predict)(fastrnn_stream*, int64_t N, int64_t T, const int32_t* lengths, const void* x, void* y) noexcept
        int (*reset)(fastrnn_stream*, int64_t N, const int32_t* slots) noexcept

    int fastrnn_input_type(const fastrnn_model*)
    int fastrnn_output_type(const fastrnn_model*)
    int64_t fastrnn_input_width(const fastrnn_model*)
    int64_t fastrnn_output_width(const fastrnn_model*)
    int64_t fastrnn_indices(const fastrnn_model*)
    int fastrnn_gives_steps(const fastrnn_model*)
    int fastrnn_step(fastrnn_stream*, int64_t N, const int32_t* slots, const void* x, void* y)
    int fastrnn_feed(fastrnn_stream*, int64_t N, int64_t T, const int32_t* slots, const int32_t* lengths, const void* x,
                     void* y)
    int fastrnn_predict(fastrnn_stream*, int64_t N, int64_t T, const int32_t* lengths, const void* x, void* y)
    int fastrnn_reset(fastrnn_stream*, int64_t N, const int32_t* slots)
    const char* fastrnn_error_text(int code)

# These need the GIL, and raise.
cdef extern from "fastrnn.h":
    int fastrnn_import() except *
    int fastrnn_open(const char* path, fastrnn_model** model) except *
    int fastrnn_from_python(object frozen, fastrnn_model** model) except *
    int fastrnn_stream_new(fastrnn_model* model, int64_t slots, int64_t rows, int64_t steps, int64_t threads,
                           fastrnn_stream** stream) except *
    void fastrnn_model_free(fastrnn_model** model)
    int fastrnn_stream_free(fastrnn_stream** stream)
