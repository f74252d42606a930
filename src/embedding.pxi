# Embeddings: rows of a table by index, and their gradient.
from libc.string cimport memcpy, memset


cdef void gather_share(const real* table, long D, const int* indices, real* out, long m0, long m1) noexcept nogil:
    cdef long m
    for m in range(m0, m1):
        memcpy(out + m * D, table + indices[m] * D, D * sizeof(real))


def gather_rows(ndarray table not None, ndarray indices not None, ndarray out not None, long threads):
    """out (M, D) = the rows of table (V, D) that indices (M,) name."""
    cdef long V = extent(table, 0), D = extent(table, 1), M = extent(indices, 0), i, team
    cdef long workers = 1 if M * D < SMALL_WORK else min(threads, M)
    cdef real* table_ = matrix(table, V, D, "table")
    cdef real* out_ = matrix(out, M, D, "out")
    cdef int* indices_ = indices_below(indices, M, V, "indices")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        gather_share(table_, D, indices_, out_, share(M, i, team), share(M, i + 1, team))


cdef void scatter_share(const real* dy, long D, const int* indices, long M, real* grad, const unsigned char* touched,
                        long V, long d0, long d1) noexcept nogil:
    """Columns d0 to d1 of the gradient."""
    cdef long v, m, d
    cdef real* row
    if d0 >= d1:
        return
    for v in range(V):
        if touched == NULL or touched[v]:
            memset(grad + v * D + d0, 0, (d1 - d0) * sizeof(real))
    for m in range(M):
        row = grad + indices[m] * D
        d = d0
        while d + VL <= d1:
            vstore(row + d, vload(row + d) + vload(dy + m * D + d))
            d += VL
        if d < d1:
            vstore_part(row + d, vload_part(row + d, d1 - d) + vload_part(dy + m * D + d, d1 - d), d1 - d)


def scatter_rows(ndarray dy not None, ndarray indices not None, ndarray grad not None, ndarray touched, long threads):
    """grad (V, D) = in each row the sum, in their order, of the rows of dy (M, D) whose index names it.

    touched: uint8 (V,) or None. In comes which rows of grad may differ from zero, so that only these are cleared; out
    goes the same for the new gradient. Threads share the columns: an index that comes often costs all of them alike.
    """
    cdef long V = extent(grad, 0), D = extent(grad, 1), M = extent(indices, 0), m, i, team
    cdef long lines = (D + LINE - 1) // LINE, workers = 1 if M * D < SMALL_WORK else max(1, min(threads, lines))
    cdef real* dy_ = matrix(dy, M, D, "dy")
    cdef real* grad_ = matrix(grad, V, D, "grad")
    cdef unsigned char* touched_ = flags(touched, V, "touched")
    cdef int* indices_ = indices_below(indices, M, V, "indices")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        scatter_share(dy_, D, indices_, M, grad_, touched_, V, min(D, share(lines, i, team) * LINE),
                      min(D, share(lines, i + 1, team) * LINE))
    if touched_ != NULL:
        memset(touched_, 0, V)
        for m in range(M):
            touched_[indices_[m]] = 1
