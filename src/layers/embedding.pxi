# Embeddings: rows of a table by index, and their gradient.
from libc.string cimport memcpy, memset


cdef enum:
    ROWS_AHEAD = 8      # no processor foresees which row of a table comes next
    OWNED_ROWS = 64     # rows of a gradient that go to one thread together


cdef void gather_share(const real* table, long D, const int* indices, const real* scale, long T, real* out, long m0,
                       long m1) noexcept nogil:
    cdef long m, d
    cdef const real* row
    for m in range(m0, m1):
        if m + ROWS_AHEAD < m1:
            prefetch(table + indices[m + ROWS_AHEAD] * D, D)
        row = table + indices[m] * D
        if scale == NULL:
            memcpy(out + m * D, row, D * sizeof(real))
        else:
            for d in range(D):
                out[m * D + d] = row[d] * scale[m // T * D + d]


cdef struct Gather:
    const real* table           # (V, D)
    const int* indices          # (M,)
    const real* scale           # (N, D) or NULL
    real* out                   # (M, D)
    long D, M, T


cdef void gather_part(void* call, long i, long team) noexcept nogil:
    cdef Gather* g = <Gather*>call
    gather_share(g.table, g.D, g.indices, g.scale, g.T, g.out, share(g.M, i, team), share(g.M, i + 1, team))


def gather_rows(ndarray table not None, ndarray indices not None, ndarray out not None, long threads,
                ndarray scale=None):
    """out (M, D) = the rows of table (V, D) that indices (M,) name; times scale (N, D), M / N rows after the other by each
    of its rows: dropout, one mask for all steps."""
    cdef Gather g
    cdef long V = extent(table, 0), N = 1 if scale is None else max(1, extent(scale, 0))
    g.D = extent(table, 1)
    g.M = extent(indices, 0)
    g.T = max(1, g.M // N)
    g.table = matrix(table, V, g.D, "table")
    g.out = matrix_out(out, g.M, g.D, "out")
    g.indices = indices_below(indices, g.M, V, "indices")
    g.scale = matrix(scale, N, g.D, "scale")
    if scale is not None and N * g.T != g.M:
        refuse(scale, "scale", f"a number of rows that divides {g.M}")
    run(gather_part, &g, 1 if g.M * g.D < SMALL_WORK else min(threads, g.M), g.M * g.D)


cdef inline unsigned int owner(long row, unsigned int team) noexcept nogil:
    """The thread that a row of the gradient belongs to, as do those around it: what one processor writes, the prefetchers
    of another had better leave alone."""
    return (<unsigned int>row // OWNED_ROWS) % team


cdef void scatter_share(const real* dy, long D, const int* indices, long M, real* grad, const unsigned char* touched,
                        long V, unsigned int i, unsigned int team) noexcept nogil:
    """Every team-th block of rows of the gradient, from the i-th on."""
    cdef long v, m, d
    cdef real* row
    for v in range(V):
        if (touched == NULL or touched[v]) and owner(v, team) == i:
            memset(grad + v * D, 0, D * sizeof(real))
    for m in range(M):
        if m + ROWS_AHEAD < M and owner(indices[m + ROWS_AHEAD], team) == i:
            prefetch_to_write(grad + indices[m + ROWS_AHEAD] * D, D)
        if owner(indices[m], team) != i:
            continue
        row = grad + indices[m] * D
        d = 0
        while d < D:
            vstore_part(row + d, vload_part(row + d, D - d) + vload_part(dy + m * D + d, D - d), D - d)
            d += VL


cdef struct Scatter:
    const real* dy              # (M, D)
    const int* indices          # (M,)
    real* grad                  # (V, D)
    unsigned char* touched      # (V,) or NULL
    long V, D, M


cdef void scatter_part(void* call, long i, long team) noexcept nogil:
    cdef Scatter* s = <Scatter*>call
    scatter_share(s.dy, s.D, s.indices, s.M, s.grad, s.touched, s.V, <unsigned int>i, <unsigned int>team)


def scatter_rows(ndarray dy not None, ndarray indices not None, ndarray grad not None, ndarray touched, long threads):
    """grad (V, D) = in each row the sum, in their order, of the rows of dy (M, D) whose index names it.

    touched: uint8 (V,) or None. In comes which rows of grad may differ from zero, so that only these are cleared; out
    goes the same for the new gradient. Threads share the rows of grad.
    """
    cdef Scatter s
    cdef long m
    s.V = extent(grad, 0)
    s.D = extent(grad, 1)
    s.M = extent(indices, 0)
    s.dy = matrix(dy, s.M, s.D, "dy")
    s.grad = matrix_out(grad, s.V, s.D, "grad")
    s.touched = flags_out(touched, s.V, "touched")
    s.indices = indices_below(indices, s.M, s.V, "indices")
    run(scatter_part, &s, 1 if s.M * s.D < SMALL_WORK else max(1, min(threads, s.V)), s.M * s.D)
    if s.touched != NULL:
        memset(s.touched, 0, s.V)
        for m in range(s.M):
            s.touched[s.indices[m]] = 1
