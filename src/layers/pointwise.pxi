# Element by element: scaling by dropout masks, activations.

cdef struct Scale:
    const real* x               # (N, T, D)
    long x_n, x_t
    const real* scale           # (N, D)
    real* out                   # (N, T, D)
    long out_n, out_t
    long N, T, D


cdef void scale_part(void* call, long i, long team) noexcept nogil:
    cdef Scale* s = <Scale*>call
    cdef long n
    for n in range(share(s.N, i, team), share(s.N, i + 1, team)):
        scale_steps(s.x + n * s.x_n, s.x_t, s.scale + n * s.D, s.out + n * s.out_n, s.out_t, s.T, s.D)


def scale_rows(ndarray x not None, ndarray scale not None, ndarray out not None, long threads):
    """out (N, T, D) = x (N, T, D) * scale (N, D): dropout of an input, one mask for all steps. out may be x."""
    cdef Scale s
    s.N = cnp.PyArray_DIM(x, 0)
    s.T = cnp.PyArray_DIM(x, 1)
    s.D = cnp.PyArray_DIM(x, 2)
    s.x_n = s.x_t = s.out_n = s.out_t = 0
    s.x = sequence(x, s.N, s.T, s.D, &s.x_n, &s.x_t, "x")
    s.scale = matrix(scale, s.N, s.D, "scale")
    s.out = sequence_out(out, s.N, s.T, s.D, &s.out_n, &s.out_t, "out")
    run(scale_part, &s, 1 if s.N * s.T * s.D < SMALL_WORK else min(threads, s.N), s.N * s.T * s.D)


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


cdef struct Add:
    real* a                     # (size,)
    const real* b               # (size,)
    long size


cdef void add_part(void* call, long i, long team) noexcept nogil:
    cdef Add* s = <Add*>call
    cdef long lines = (s.size + LINE - 1) // LINE
    add_share(s.a, s.b, share(lines, i, team) * LINE, min(s.size, share(lines, i + 1, team) * LINE))


def add(ndarray a not None, ndarray b not None, long threads):
    """a += b, contiguous and of one size."""
    cdef Add s
    s.size = cnp.PyArray_SIZE(a)
    s.a = elements_out(a, s.size, "a")
    s.b = elements(b, s.size, "b")
    run(add_part, &s, 1 if s.size < SMALL_WORK else threads, s.size)


EXPONENTIAL = HARD_SIGMOID + 1      # what activate_array takes beside ACTIVATIONS


def activate_array(int kind, ndarray x not None, ndarray y not None):
    """y (M,) = the activation of x (M,): the vector functions of the kernels. Denormals are kept."""
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
