/* SPDX-License-Identifier: Apache-2.0

   A model that goes on by itself: what it gives is what it is given next. */
#include <Python.h>

#include <fastrnn.h>
#include <string.h>

typedef struct {
  PyObject_HEAD
  fastrnn_model *model;
  fastrnn_stream *stream;
} Forecaster;

static int Forecaster_init(PyObject *object, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"path", NULL};
  Forecaster *self = (Forecaster *)object;
  PyObject *path;
  int code;
  if (self->model != NULL) {
    PyErr_SetString(PyExc_RuntimeError, "Forecaster: it is made once");
    return -1;
  }
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&", names, PyUnicode_FSConverter, &path)) return -1;
  code = fastrnn_open(PyBytes_AS_STRING(path), &self->model);
  Py_DECREF(path);
  if (code != FASTRNN_OK) return -1;
  if (fastrnn_input_type(self->model) != FASTRNN_FLOAT32 || fastrnn_input_width(self->model) != 1 ||
      fastrnn_output_width(self->model) != 1) {
    PyErr_SetString(PyExc_ValueError, "Forecaster path: expected a float32 model from one number to one number");
    return -1;
  }
  return fastrnn_stream_new(self->model, 1, 1, 1, 1, &self->stream) == FASTRNN_OK ? 0 : -1;
}

static void Forecaster_dealloc(PyObject *object) {
  Forecaster *self = (Forecaster *)object;
  fastrnn_stream_free(&self->stream);
  fastrnn_model_free(&self->model);
  Py_TYPE(object)->tp_free(object);
}

/* Numbers of an object that are contiguous and float32; -1 and an exception if it has none. */
static int floats(PyObject *object, Py_buffer *view, int flags) {
  if (PyObject_GetBuffer(object, view, flags | PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) != 0) return -1;
  if (view->ndim == 1 && strcmp(view->format, "f") == 0) return 0;
  PyErr_SetString(PyExc_ValueError, "forecast: expected arrays of float32 with one axis");
  PyBuffer_Release(view);
  return -1;
}

static int run(fastrnn_stream *stream, const float *history, Py_ssize_t known, float *out, Py_ssize_t wanted) {
  float next = 0;
  int code = fastrnn_reset(stream, 0, NULL);
  for (Py_ssize_t i = 0; i < known && code == FASTRNN_OK; i++) code = fastrnn_step(stream, 1, NULL, history + i, &next);
  for (Py_ssize_t i = 0; i < wanted && code == FASTRNN_OK; i++) {
    out[i] = next;
    code = fastrnn_step(stream, 1, NULL, out + i, &next);
  }
  return code;
}

static PyObject *Forecaster_forecast(PyObject *object, PyObject *args) {
  Forecaster *self = (Forecaster *)object;
  PyObject *history, *out;
  Py_buffer known, wanted;
  int code;
  if (!PyArg_ParseTuple(args, "OO", &history, &out)) return NULL;
  if (floats(history, &known, PyBUF_SIMPLE) != 0) return NULL;
  if (floats(out, &wanted, PyBUF_WRITABLE) != 0) {
    PyBuffer_Release(&known);
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS
  code = run(self->stream, (const float *)known.buf, known.len / (Py_ssize_t)sizeof(float), (float *)wanted.buf,
             wanted.len / (Py_ssize_t)sizeof(float));
  Py_END_ALLOW_THREADS
  PyBuffer_Release(&known);
  PyBuffer_Release(&wanted);
  if (code != FASTRNN_OK) {
    PyErr_Format(PyExc_RuntimeError, "forecast: %s", fastrnn_error_text(code));
    return NULL;
  }
  Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"forecast", Forecaster_forecast, METH_VARARGS, "forecast(history, out): fill `out` with what follows `history`."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject Forecaster_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "forecaster.forecast.Forecaster",
    .tp_doc = "Forecaster(path): goes on with a series by the model in a file.",
    .tp_basicsize = sizeof(Forecaster),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = Forecaster_init,
    .tp_dealloc = Forecaster_dealloc,
    .tp_methods = methods,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "forecast",
    .m_doc = "A model that goes on by itself.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit_forecast(void) {
  PyObject *made;
  if (fastrnn_import() != FASTRNN_OK) return NULL;
  made = PyModule_Create(&module);
  if (made != NULL && PyModule_AddType(made, &Forecaster_type) != 0) Py_CLEAR(made);
  return made;
}
