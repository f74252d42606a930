# Dense layers: products of plain row-major matrices with the same tiles, threads over the rows.

cdef enum:
    ROW_BLOCK = 120     # rows of a that stay in the cache while all columns of b pass by


cdef void rows_by_packed(const real* a, long lda, long K, const real* b, const real* bias, real* out, long ldo, long O,
                         long m0, long m1) noexcept nogil:
    """out[m0:m1, O] = a[m0:m1, K] b + bias; b: packed [O / VL][K][VL], bias: packed [O / VL][VL] or NULL."""
    cdef long end
    while m0 < m1:
        end = min(m0 + ROW_BLOCK, m1)
        row_block(a, lda, K, b, bias, out, ldo, O, m0, end)
        m0 = end


cdef void row_block(const real* a, long lda, long K, const real* b, const real* bias, real* out, long ldo, long O,
                    long m0, long m1) noexcept nogil:
    cdef long vectors = (O + VL - 1) // VL, v = 0, m, c, columns, wide = MC if m1 - m0 < 3 else 4
    cdef const real* rows[MR]
    cdef const real* start = NULL
    cdef real* to[MR]
    cdef long offset[MC]
    cdef int r, R
    while v < vectors:
        columns = min(wide, vectors - v)
        for c in range(columns):
            offset[c] = (v + c) * VL
        if bias != NULL:
            start = bias + v * VL
        m = m0
        while m < m1:
            R = 4 if m1 - m == 7 else <int>min(<long>MR, m1 - m)
            for r in range(R):
                rows[r] = a + (m + r) * lda
                to[r] = out + (m + r) * ldo
            panel(R, <int>columns, rows, 1, K, b + v * K * VL, False, start, to, offset,
                  min(<long>VL, O - (v + columns - 1) * VL))
            m += R
        v += columns


cdef void activate_rows(int activation, real* y, long O, long m0, long m1) noexcept nogil:
    """y = activation(y) in place, rows m0 to m1."""
    cdef long i = m0 * O, end = m1 * O
    if activation == LINEAR:
        return
    while i < end:
        vstore_part(y + i, activate(activation, vload_part(y + i, end - i)), end - i)
        i += VL


cdef void dense_share(const real* x, long K, const real* W, const real* b, int activation, real* y, long O, long m0,
                      long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    rows_by_packed(x, K, K, W, b, y, O, O, m0, m1)
    activate_rows(activation, y, O, m0, m1)
    denormals_restore(state)


cdef long row_team(long M, long K, long O, long threads) noexcept nogil:
    return 1 if M * K * O < SMALL_WORK else min(threads, (M + MR - 1) // MR)


def dense_forward(ndarray x not None, ndarray W not None, ndarray b, int activation, ndarray y not None, long threads):
    """y (M, O) = activation(x (M, K) W + b), W and b packed."""
    cdef long M = extent(x, 0), K = extent(x, 1), O = extent(y, 1), i, team
    cdef long padded = (O + VL - 1) // VL * VL, workers = row_team(M, K, O, threads)
    cdef real* x_ = matrix(x, M, K, "x")
    cdef real* y_ = matrix(y, M, O, "y")
    cdef real* w_ = aligned(vector(W, padded * K + SLACK, "W"))
    cdef real* b_ = NULL if b is None else aligned(vector(b, padded + SLACK, "b"))
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        dense_share(x_, K, w_, b_, activation, y_, O, share(M, i, team), share(M, i + 1, team))


def dense_scratch(long K, long threads):
    """Elements of scratch that dense_backward needs."""
    return threads * outer_scratch(K) + SLACK


def dense_backward(ndarray x not None, ndarray dz not None, ndarray WT, ndarray scratch not None, ndarray dx,
                   ndarray dW, ndarray db, long threads):
    """dx (M, K) = dz W^T, dW (K, O) = x^T dz, db (O) = sums of dz (M, O); WT packed; dx, or dW with db, may be None."""
    cdef long M = extent(x, 0), K = extent(x, 1), O = extent(dz, 1), i, team
    cdef long workers = row_team(M, K, O, threads), per_thread = outer_scratch(K)
    cdef real* dz_ = matrix(dz, M, O, "dz")
    cdef real* dx_ = matrix(dx, M, K, "dx")
    cdef real* wt_ = NULL if dx is None else aligned(vector(WT, O * ((K + VL - 1) // VL * VL) + SLACK, "WT"))
    cdef real* work = aligned(vector(scratch, threads * per_thread + SLACK, "scratch"))
    cdef Rnn p = problem(SIMPLE_RNN, M, 1, K, O, LINEAR, LINEAR, False, False, True, 1)
    cdef Outer outer
    p.J = p.HP = O              # rows of dz are not padded
    p.z = dz_
    outer.a = matrix(x, M, K, "x")
    outer.a_n = K
    outer.a_t = 0
    outer.M = K
    outer.g0 = 0
    outer.g1 = 1
    outer.block = p.w_block
    outer.out = matrix(dW, K, O, "dW")
    outer.ldo = O
    outer.bias = vector(db, O, "db")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        if dx_ != NULL:
            rows_by_packed(dz_, O, O, wt_, NULL, dx_, K, K, share(M, i, team), share(M, i + 1, team))
        if outer.out != NULL:
            weights_share(&p, &outer, 1, i, team, work + i * per_thread)


def pack_dense_t(ndarray w not None, ndarray out not None):
    """(K, O) -> its transpose for the input's gradient, [K / VL][O][VL]: rows are not padded, as dz's are not."""
    cdef long K = extent(w, 0), O = extent(w, 1)
    cdef int gate = 0
    pack_transposed(matrix(w, K, O, "w"), O, K, O, &gate, 1, O,
                    aligned(vector(out, O * ((K + VL - 1) // VL * VL) + SLACK, "out")))
