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


def gather_rows(ndarray table not None, ndarray indices not None, ndarray out not None, long threads,
                ndarray scale=None):
    """out (M, D) = the rows of table (V, D) that indices (M,) name; times scale (N, D), M / N rows after the other by each
    of its rows: dropout, one mask for all steps."""
    cdef long V = extent(table, 0), D = extent(table, 1), M = extent(indices, 0), i, team
    cdef long N = 1 if scale is None else max(1, extent(scale, 0)), T = max(1, M // N)
    cdef long workers = 1 if M * D < SMALL_WORK else min(threads, M)
    cdef const real* table_ = matrix(table, V, D, "table")
    cdef real* out_ = matrix_out(out, M, D, "out")
    cdef const int* indices_ = indices_below(indices, M, V, "indices")
    cdef const real* scale_ = matrix(scale, N, D, "scale")
    if scale is not None and N * T != M:
        refuse(scale, "scale", f"a number of rows that divides {M}")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        gather_share(table_, D, indices_, scale_, T, out_, share(M, i, team), share(M, i + 1, team))


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


def scatter_rows(ndarray dy not None, ndarray indices not None, ndarray grad not None, ndarray touched, long threads):
    """grad (V, D) = in each row the sum, in their order, of the rows of dy (M, D) whose index names it.

    touched: uint8 (V,) or None. In comes which rows of grad may differ from zero, so that only these are cleared; out
    goes the same for the new gradient. Threads share the rows of grad.
    """
    cdef long V = extent(grad, 0), D = extent(grad, 1), M = extent(indices, 0), m, i, team
    cdef long workers = 1 if M * D < SMALL_WORK else max(1, min(threads, V))
    cdef const real* dy_ = matrix(dy, M, D, "dy")
    cdef real* grad_ = matrix_out(grad, V, D, "grad")
    cdef unsigned char* touched_ = flags_out(touched, V, "touched")
    cdef const int* indices_ = indices_below(indices, M, V, "indices")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        scatter_share(dy_, D, indices_, M, grad_, touched_, V, <unsigned int>i, <unsigned int>team)
    if touched_ != NULL:
        memset(touched_, 0, V)
        for m in range(M):
            touched_[indices_[m]] = 1
