/* SPDX-License-Identifier: Apache-2.0

   fastrnn in an extension of C, C++ or Rust: a model from its file, and streams of it that run without Python.
   `fastrnn.get_include()` is the folder of this file; for Cython the same is in `fastrnn/capi.pxd`.

       fastrnn_model *model;
       fastrnn_stream *stream;
       if (fastrnn_import() || fastrnn_open("model.safetensors", &model)) return NULL;
       if (fastrnn_stream_new(model, 1, 1, 1, 1, &stream)) return NULL;
       Py_BEGIN_ALLOW_THREADS
       while (!code && next(x)) code = fastrnn_step(stream, 1, NULL, x, y);
       Py_END_ALLOW_THREADS

   What opens, makes and frees needs the GIL. All else needs neither the GIL nor a thread that Python knows,
   allocates nothing, and may run in several threads at once, with a stream each. Every function that can fail
   returns FASTRNN_OK, which is 0, or another code. Those that need the GIL set Python's exception then. After a code
   of the others the states are as they were, and y as it was.

   Arrays are contiguous, in the types that `fastrnn_input_type` and `fastrnn_output_type` name. N is the number of
   rows, T of time steps, a row's features come last. A model that begins with an Embedding takes indices, int32,
   without that axis. Results are the same bits as those of the model's streams in Python. */
#ifndef FASTRNN_H
#define FASTRNN_H

#include <Python.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* of the structs below; functions are only ever added at the end of fastrnn_functions, without another version */
#define FASTRNN_VERSION 1

enum fastrnn_code {
  FASTRNN_OK = 0,
  /* with an exception */
  FASTRNN_PACKAGE = 1,
  FASTRNN_FILE = 2,
  FASTRNN_LAYER = 3,
  FASTRNN_MEMORY = 4,
  FASTRNN_SIZE = 5,
  /* without one */
  FASTRNN_CLOSED = 16,
  FASTRNN_BUSY = 17,
  FASTRNN_NULL = 18,
  FASTRNN_ROWS = 19,
  FASTRNN_STEPS = 20,
  FASTRNN_SLOT = 21,
  FASTRNN_SLOT_TWICE = 22,
  FASTRNN_LENGTH = 23,
  FASTRNN_INDEX = 24
};

enum fastrnn_type { FASTRNN_FLOAT32 = 1, FASTRNN_FLOAT64 = 2, FASTRNN_INT32 = 3 };

typedef struct fastrnn_functions fastrnn_functions;

/* A frozen model. It never changes; any number of threads and streams may use it. */
typedef struct fastrnn_model {
  const fastrnn_functions *functions;
  void *owner; /* a Python object, whose reference is the handle's */
  int32_t input_type;
  int32_t output_type;
  int64_t input_width; /* features; of indices 1 */
  int64_t output_width;
  int64_t indices;      /* they are below that; 0 for a model that takes numbers */
  int32_t gives_steps;  /* whether fastrnn_predict gives an output for each time step, or that of the last one */
  int32_t reserved;
} fastrnn_model;

/* States of some slots, each of which goes on by itself, and the memory of a call. */
typedef struct fastrnn_stream {
  const fastrnn_functions *functions;
  void *owner;
} fastrnn_stream;

/* What the functions below call: those of the kernels for this processor and the model's type. A language without
   C's inline functions calls them here, by a handle that is not NULL. */
struct fastrnn_functions {
  int32_t version;
  int32_t size; /* bytes of this struct */
  /* a capsule "fastrnn.stream", whose pointer is the stream; or NULL and an exception */
  PyObject *(*stream_new)(fastrnn_model *model, int64_t slots, int64_t rows, int64_t steps, int64_t threads);
  int (*stream_close)(fastrnn_stream *stream);
  int (*step)(fastrnn_stream *stream, int64_t N, const int32_t *slots, const void *x, void *y);
  int (*feed)(fastrnn_stream *stream, int64_t N, int64_t T, const int32_t *slots, const int32_t *lengths, const void *x,
              void *y);
  int (*predict)(fastrnn_stream *stream, int64_t N, int64_t T, const int32_t *lengths, const void *x, void *y);
  int (*reset)(fastrnn_stream *stream, int64_t N, const int32_t *slots);
};

/* with the GIL ---------------------------------------------------------------------------------------------------- */

/* What a capsule holds, which keeps the capsule; or NULL and an exception. Takes the reference. */
static inline void *fastrnn_take_capsule(PyObject *capsule, const char *name) {
  void *handle = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, name);
  if (handle == NULL) Py_XDECREF(capsule);
  return handle;
}

static inline int fastrnn_failure(int code) {
  return PyErr_ExceptionMatches(PyExc_MemoryError) ? FASTRNN_MEMORY : code;
}

/* A function of the Python module fastrnn.capi, called with one argument, whose reference it takes. */
static inline PyObject *fastrnn_call(const char *function, PyObject *argument) {
  PyObject *module = argument == NULL ? NULL : PyImport_ImportModule("fastrnn.capi"), *result = NULL;
  if (module != NULL) result = PyObject_CallMethod(module, function, "(O)", argument);
  Py_XDECREF(module);
  Py_XDECREF(argument);
  return result;
}

/* Imports fastrnn, for an extension's module to do when it is imported itself. FASTRNN_PACKAGE: it is not there, or
   has not what this file declares. */
static inline int fastrnn_import(void) {
  const fastrnn_functions *functions = (const fastrnn_functions *)PyCapsule_Import("fastrnn.capi.stream_api", 0);
  if (functions == NULL) return fastrnn_failure(FASTRNN_PACKAGE);
  if (functions->version != FASTRNN_VERSION || functions->size < (int32_t)sizeof(fastrnn_functions)) {
    PyErr_Format(PyExc_ImportError,
                 "fastrnn.h: compiled for version %d of fastrnn's C interface, and found %d; compile the extension "
                 "again, or install the fastrnn that it was compiled for",
                 FASTRNN_VERSION, (int)functions->version);
    return FASTRNN_PACKAGE;
  }
  return FASTRNN_OK;
}

/* The handle of a frozen model, a `fastrnn.serving.Frozen`, that Python gives. FASTRNN_LAYER: a layer cannot run
   step by step, or not without Python; the exception names it. */
static inline int fastrnn_from_python(PyObject *frozen, fastrnn_model **model) {
  PyObject *capsule;
  *model = NULL;
  Py_INCREF(frozen);
  capsule = fastrnn_call("model_capsule", frozen);
  *model = (fastrnn_model *)fastrnn_take_capsule(capsule, "fastrnn.model");
  if (*model == NULL) return fastrnn_failure(FASTRNN_LAYER);
  (*model)->owner = capsule;
  return FASTRNN_OK;
}

/* The model of a file, frozen: of one that a frozen model's `save` wrote, or of any that `load_model` reads.
   FASTRNN_FILE: it cannot be read, or is no model's; FASTRNN_LAYER as above. */
static inline int fastrnn_open(const char *path, fastrnn_model **model) {
  PyObject *frozen;
  int code;
  *model = NULL;
  frozen = fastrnn_call("open_frozen", PyBytes_FromString(path));
  if (frozen == NULL) return fastrnn_failure(FASTRNN_FILE);
  code = fastrnn_from_python(frozen, model);
  Py_DECREF(frozen);
  return code;
}

/* A stream of so many slots, all at the beginning of a sequence, with memory for calls of up to `rows` rows and
   `steps` time steps. threads: that a call may share large work with; 0 for fastrnn.get_num_threads(). */
static inline int fastrnn_stream_new(fastrnn_model *model, int64_t slots, int64_t rows, int64_t steps, int64_t threads,
                                     fastrnn_stream **stream) {
  PyObject *capsule;
  *stream = NULL;
  if (model == NULL) {
    PyErr_SetString(PyExc_ValueError, "fastrnn_stream_new: expected an open model, got NULL");
    return FASTRNN_CLOSED;
  }
  capsule = model->functions->stream_new(model, slots, rows, steps, threads);
  *stream = (fastrnn_stream *)fastrnn_take_capsule(capsule, "fastrnn.stream");
  if (*stream == NULL) return fastrnn_failure(FASTRNN_SIZE);
  (*stream)->owner = capsule;
  return FASTRNN_OK;
}

/* Frees a handle and sets it to NULL, which the other functions refuse as FASTRNN_CLOSED. Streams outlive their
   model's. NULL is freed already. */
static inline void fastrnn_model_free(fastrnn_model **model) {
  fastrnn_model *freed = *model;
  *model = NULL;
  if (freed != NULL) Py_DECREF((PyObject *)freed->owner);
}

/* FASTRNN_BUSY, without an exception: a thread is inside; the stream stays. */
static inline int fastrnn_stream_free(fastrnn_stream **stream) {
  fastrnn_stream *freed = *stream;
  if (freed == NULL) return FASTRNN_OK;
  if (freed->functions->stream_close(freed) != FASTRNN_OK) return FASTRNN_BUSY;
  *stream = NULL;
  Py_DECREF((PyObject *)freed->owner);
  return FASTRNN_OK;
}

/* Takes Python's exception away, for who has no use for it, and writes its text, UTF-8, cut to `size` bytes with the
   0 at its end. Nothing set: an empty text. */
static inline void fastrnn_take_error(char *text, size_t size) {
  PyObject *type, *value, *traceback, *words = NULL, *bytes = NULL;
  PyErr_Fetch(&type, &value, &traceback);
  if (value != NULL) words = PyObject_Str(value);
  if (words != NULL) bytes = PyUnicode_AsUTF8String(words);
  PyErr_Clear();
  PyOS_snprintf(text, size, "%s", bytes == NULL ? "" : PyBytes_AsString(bytes));
  Py_XDECREF(bytes);
  Py_XDECREF(words);
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
}

/* without the GIL ------------------------------------------------------------------------------------------------- */

/* of a model; 0 of NULL */
static inline int fastrnn_input_type(const fastrnn_model *model) { return model == NULL ? 0 : model->input_type; }
static inline int fastrnn_output_type(const fastrnn_model *model) { return model == NULL ? 0 : model->output_type; }
static inline int64_t fastrnn_input_width(const fastrnn_model *model) { return model == NULL ? 0 : model->input_width; }
static inline int64_t fastrnn_output_width(const fastrnn_model *model) {
  return model == NULL ? 0 : model->output_width;
}
static inline int64_t fastrnn_indices(const fastrnn_model *model) { return model == NULL ? 0 : model->indices; }
static inline int fastrnn_gives_steps(const fastrnn_model *model) { return model == NULL ? 0 : model->gives_steps; }

/* One time step of N rows: y (N, output width) of x (N, input width). slots: (N,), each once, where the states of
   each row are; NULL for row n in slot n. */
static inline int fastrnn_step(fastrnn_stream *stream, int64_t N, const int32_t *slots, const void *x, void *y) {
  return stream == NULL ? FASTRNN_CLOSED : stream->functions->step(stream, N, slots, x, y);
}

/* T time steps: y (N, T, output width) of x (N, T, input width). lengths: (N,), of 0 to T, steps of each row, after
   which y is 0; NULL for T. */
static inline int fastrnn_feed(fastrnn_stream *stream, int64_t N, int64_t T, const int32_t *slots,
                               const int32_t *lengths, const void *x, void *y) {
  return stream == NULL ? FASTRNN_CLOSED : stream->functions->feed(stream, N, T, slots, lengths, x, y);
}

/* Whole sequences from their beginning; the states of the slots stay as they are. y: (N, T, output width), or (N,
   output width) of each row's last step where the model gives that alone (fastrnn_gives_steps); a row has a last
   step then. */
static inline int fastrnn_predict(fastrnn_stream *stream, int64_t N, int64_t T, const int32_t *lengths, const void *x,
                                  void *y) {
  return stream == NULL ? FASTRNN_CLOSED : stream->functions->predict(stream, N, T, lengths, x, y);
}

/* New sequences in N slots; slots NULL: in all, whatever N is. */
static inline int fastrnn_reset(fastrnn_stream *stream, int64_t N, const int32_t *slots) {
  return stream == NULL ? FASTRNN_CLOSED : stream->functions->reset(stream, N, slots);
}

/* What a code says. */
static inline const char *fastrnn_error_text(int code) {
  switch (code) {
    case FASTRNN_OK: return "no error";
    case FASTRNN_PACKAGE: return "fastrnn is not installed, or has another C interface than the one compiled for";
    case FASTRNN_FILE: return "the file cannot be read, or is no model's; Python's exception says why";
    case FASTRNN_LAYER: return "a layer cannot run step by step without Python; Python's exception names it";
    case FASTRNN_MEMORY: return "no memory";
    case FASTRNN_SIZE: return "slots, rows, steps or threads are no sizes; Python's exception says which";
    case FASTRNN_CLOSED: return "the handle is NULL: not opened, or freed";
    case FASTRNN_BUSY: return "another thread is inside; give each thread a stream of its own";
    case FASTRNN_NULL: return "an array is NULL";
    case FASTRNN_ROWS: return "fewer than 0 rows, or more than the stream was made for or has slots";
    case FASTRNN_STEPS: return "fewer than 0 time steps, or more than the stream was made for; or no last one";
    case FASTRNN_SLOT: return "a slot that the stream does not have";
    case FASTRNN_SLOT_TWICE: return "a slot is listed twice; it goes on once a call";
    case FASTRNN_LENGTH:
      return "a length is not from 0 to the number of time steps; or it is 0, and there is no last one";
    case FASTRNN_INDEX: return "an index outside of the Embedding's table";
    default: return "no code of fastrnn's";
  }
}

#ifdef __cplusplus
}
#endif
#endif
