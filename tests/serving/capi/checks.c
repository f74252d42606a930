/* SPDX-License-Identifier: Apache-2.0

   The inline functions of fastrnn.h as functions of a library, for the tests to call; and what they cannot do from
   Python: many steps in a row, and several threads at once that Python does not know. */
#include <fastrnn.h>

#include <pthread.h>
#include <time.h>

int check_import(void) { return fastrnn_import(); }
int check_open(const char *path, fastrnn_model **model) { return fastrnn_open(path, model); }
int check_from_python(PyObject *frozen, fastrnn_model **model) { return fastrnn_from_python(frozen, model); }
int check_stream_new(fastrnn_model *model, int64_t slots, int64_t rows, int64_t steps, int64_t threads,
                     fastrnn_stream **stream) {
  return fastrnn_stream_new(model, slots, rows, steps, threads, stream);
}
void check_model_free(fastrnn_model **model) { fastrnn_model_free(model); }
int check_stream_free(fastrnn_stream **stream) { return fastrnn_stream_free(stream); }

/* The code of a call that fails and leaves no handle, and the text of its exception, which is gone then. */
int failure_of_open(const char *path, char *text, size_t size) {
  fastrnn_model *model;
  int code = fastrnn_open(path, &model);
  fastrnn_take_error(text, size);
  return model == NULL && PyErr_Occurred() == NULL ? code : -1;
}
int failure_of_python(PyObject *frozen, char *text, size_t size) {
  fastrnn_model *model;
  int code = fastrnn_from_python(frozen, &model);
  fastrnn_take_error(text, size);
  return model == NULL && PyErr_Occurred() == NULL ? code : -1;
}
int failure_of_stream(fastrnn_model *model, int64_t slots, int64_t rows, int64_t steps, int64_t threads, char *text,
                      size_t size) {
  fastrnn_stream *stream;
  int code = fastrnn_stream_new(model, slots, rows, steps, threads, &stream);
  fastrnn_take_error(text, size);
  return stream == NULL && PyErr_Occurred() == NULL ? code : -1;
}

void check_sizes(const fastrnn_model *model, int64_t sizes[6]) {
  sizes[0] = fastrnn_input_type(model);
  sizes[1] = fastrnn_output_type(model);
  sizes[2] = fastrnn_input_width(model);
  sizes[3] = fastrnn_output_width(model);
  sizes[4] = fastrnn_indices(model);
  sizes[5] = fastrnn_gives_steps(model);
}

int check_step(fastrnn_stream *stream, int64_t N, const int32_t *slots, const void *x, void *y) {
  return fastrnn_step(stream, N, slots, x, y);
}
int check_feed(fastrnn_stream *stream, int64_t N, int64_t T, const int32_t *slots, const int32_t *lengths,
               const void *x, void *y) {
  return fastrnn_feed(stream, N, T, slots, lengths, x, y);
}
int check_predict(fastrnn_stream *stream, int64_t N, int64_t T, const int32_t *lengths, const void *x, void *y) {
  return fastrnn_predict(stream, N, T, lengths, x, y);
}
int check_reset(fastrnn_stream *stream, int64_t N, const int32_t *slots) { return fastrnn_reset(stream, N, slots); }
const char *check_error_text(int code) { return fastrnn_error_text(code); }

/* Have the stream be busy for good, as if a thread were inside. */
int check_close(fastrnn_stream *stream) { return stream->functions->stream_close(stream); }

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* x, y: [count][N][...], x_bytes and y_bytes a step. Returns the seconds that all steps took, or minus a code. */
double check_steps(fastrnn_stream *stream, int64_t N, int64_t count, int64_t x_bytes, int64_t y_bytes, const char *x,
                   char *y) {
  double start = seconds();
  for (int64_t t = 0; t < count; t++) {
    int code = fastrnn_step(stream, N, NULL, x + t * x_bytes, y + t * y_bytes);
    if (code != FASTRNN_OK) return -code;
  }
  return seconds() - start;
}

typedef struct {
  fastrnn_stream *stream;
  int64_t T, x_bytes, y_bytes;
  const char *x;
  char *y;
  double result;
} Session;

static void *run(void *argument) {
  Session *s = (Session *)argument;
  s->result = check_steps(s->stream, 1, s->T, s->x_bytes, s->y_bytes, s->x, s->y);
  return NULL;
}

/* Each of `count` threads steps its stream: x, y [count][T][...]. Called with the GIL, which is held until all are
   done. */
int check_threads(int count, fastrnn_stream **streams, int64_t T, int64_t x_bytes, int64_t y_bytes, const char *x,
                  char *y) {
  pthread_t threads[64];
  Session sessions[64];
  int failed = 0;
  if (count > 64) return -1;
  for (int i = 0; i < count; i++) {
    sessions[i].stream = streams[i];
    sessions[i].T = T;
    sessions[i].x_bytes = x_bytes;
    sessions[i].y_bytes = y_bytes;
    sessions[i].x = x + i * T * x_bytes;
    sessions[i].y = y + i * T * y_bytes;
    sessions[i].result = -1;
    if (pthread_create(&threads[i], NULL, run, &sessions[i]) != 0) return -2;
  }
  for (int i = 0; i < count; i++) {
    pthread_join(threads[i], NULL);
    failed += sessions[i].result < 0;
  }
  return failed;
}

/* What `count` counts while each kind of call is done so many times; or minus a code. */
long check_allocations(long (*count)(void), int64_t times, fastrnn_stream *stream, int64_t N, int64_t T,
                       const int32_t *slots, const int32_t *lengths, const void *x, void *y) {
  long before = count();
  for (int64_t i = 0; i < times; i++) {
    int code = fastrnn_step(stream, N, i % 2 ? slots : NULL, x, y);
    if (code == FASTRNN_OK) code = fastrnn_feed(stream, N, T, slots, i % 2 ? lengths : NULL, x, y);
    if (code == FASTRNN_OK) code = fastrnn_predict(stream, N, T, i % 2 ? lengths : NULL, x, y);
    if (code == FASTRNN_OK) code = fastrnn_reset(stream, N, slots);
    if (code != FASTRNN_OK) return -code;
  }
  return count() - before;
}
