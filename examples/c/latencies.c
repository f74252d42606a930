/* SPDX-License-Identifier: Apache-2.0 */
/* Runs an exported model on frames as they come, and prints how long each took.

   Export a model whose input and output are floats under the name "model", then build and run:

       fastrnn convert my_model.keras model.c
       cc -O3 -march=native latencies.c model.c -lm -o latencies
       ./latencies frames.f32 outputs.f32

   frames.f32 has float32 numbers, MODEL_INPUT of them for each time step, as NumPy's x.astype("float32").tofile writes
   them; "-" stands for standard input, outputs.f32 may be left out. With a pipe each frame is run when it is there. */
#define _POSIX_C_SOURCE 199309L /* clock_gettime */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static int ascending(const void *one, const void *other)
{
    const double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

/* The value that a share of the sorted ones does not exceed. */
static double quantile(const double *sorted, size_t count, double share)
{
    return sorted[(size_t)(share * (double)(count - 1) + 0.5)];
}

static int fail(const char *what, const char *name)
{
    fprintf(stderr, "latencies: %s %s\n", what, name);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static model_state state;
    float x[MODEL_INPUT], y[MODEL_OUTPUT] = {0};
    double *times = NULL;
    size_t steps = 0, room = 0;

    if (argc < 2 || argc > 3)
        return fail("expected a file of frames, or -, and perhaps one for the outputs", "");
    FILE *frames = strcmp(argv[1], "-") == 0 ? stdin : fopen(argv[1], "rb");
    if (frames == NULL)
        return fail("cannot read", argv[1]);
    FILE *outputs = argc > 2 ? fopen(argv[2], "wb") : NULL;
    if (argc > 2 && outputs == NULL)
        return fail("cannot write", argv[2]);

    model_init(&state);
    while (fread(x, sizeof x, 1, frames) == 1) {
        if (steps == room) {
            room = room ? 2 * room : 1024;
            double *larger = realloc(times, room * sizeof *times);
            if (larger == NULL)
                return fail("no memory for the times", "");
            times = larger;
        }
        const double start = microseconds();
        model_step(&state, x, y);
        times[steps++] = microseconds() - start;
        if (outputs != NULL && fwrite(y, sizeof y, 1, outputs) != 1)
            return fail("cannot write", argv[2]);
    }
    if (outputs != NULL && fclose(outputs) != 0)
        return fail("cannot write", argv[2]);
    if (steps == 0)
        return fail("no whole frame in", argv[1]);

    printf("%zu steps of %d to %d numbers; state of %zu bytes\nlast output:", steps, MODEL_INPUT, MODEL_OUTPUT,
           sizeof state);
    for (int j = 0; j < MODEL_OUTPUT && j < 8; j++)
        printf(" %.6g", (double)y[j]);
    qsort(times, steps, sizeof *times, ascending);
    printf("%s\nmicroseconds a step: median %.2f, 99 %% within %.2f, 99.9 %% within %.2f, longest %.2f\n",
           MODEL_OUTPUT > 8 ? " ..." : "", quantile(times, steps, 0.5), quantile(times, steps, 0.99),
           quantile(times, steps, 0.999), times[steps - 1]);
    free(times);
    return EXIT_SUCCESS;
}
