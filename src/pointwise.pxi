# Element by element: scaling by dropout masks, activations.

def scale_rows(ndarray x not None, ndarray scale not None, ndarray out not None, long threads):
    """out (N, T, D) = x (N, T, D) * scale (N, D): dropout of an input, one mask for all steps. out may be x."""
    cdef long N = cnp.PyArray_DIM(x, 0), T = cnp.PyArray_DIM(x, 1), D = cnp.PyArray_DIM(x, 2)
    cdef long x_n = 0, x_t = 0, out_n = 0, out_t = 0, n, i, team, workers = min(threads, N)
    cdef const real* x_ = sequence(x, N, T, D, &x_n, &x_t, "x")
    cdef const real* scale_ = matrix(scale, N, D, "scale")
    cdef real* out_ = sequence_out(out, N, T, D, &out_n, &out_t, "out")
    if N * T * D < SMALL_WORK:
        workers = 1
    i = team = n = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        for n in range(share(N, i, team), share(N, i + 1, team)):
            scale_steps(x_ + n * x_n, x_t, scale_ + n * D, out_ + n * out_n, out_t, T, D)


cdef void scale_steps(const real* x, long x_t, const real* scale, real* out, long out_t, long T,
                      long D) noexcept nogil:
    cdef long t, d
    for t in range(T):
        for d in range(D):
            out[t * out_t + d] = x[t * x_t + d] * scale[d]


cdef void add_share(real* a, const real* b, long i, long end) noexcept nogil:
    while i < end:
        vstore_part(a + i, vload_part(a + i, end - i) + vload_part(b + i, end - i), end - i)
        i += VL


def add(ndarray a not None, ndarray b not None, long threads):
    """a += b, contiguous and of one size."""
    cdef long size = cnp.PyArray_SIZE(a), lines = (size + LINE - 1) // LINE, i, team
    cdef long workers = 1 if size < SMALL_WORK else threads
    cdef real* a_ = elements_out(a, size, "a")
    cdef const real* b_ = elements(b, size, "b")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        add_share(a_, b_, share(lines, i, team) * LINE, min(size, share(lines, i + 1, team) * LINE))


EXPONENTIAL = HARD_SIGMOID + 1      # what activate_array takes beside ACTIVATIONS


def activate_array(int kind, ndarray x not None, ndarray y not None):
    """y (M,) = the activation of x (M,): the vector functions of the kernels, to test them. Denormals are kept."""
    cdef long M = cnp.PyArray_SIZE(x), m = 0
    cdef const real* x_ = elements(x, M, "x")
    cdef real* y_ = elements_out(y, M, "y")
    cdef bint exponential = kind == HARD_SIGMOID + 1
    with nogil:
        while m < M:
            if exponential:
                vstore_part(y_ + m, vexp(vload_part(x_ + m, M - m)), M - m)
            else:
                vstore_part(y_ + m, activate(kind, vload_part(x_ + m, M - m)), M - m)
            m += VL
