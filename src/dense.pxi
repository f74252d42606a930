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
            R = tile_rows(m1 - m)
            for r in range(R):
                rows[r] = a + (m + r) * lda
                to[r] = out + (m + r) * ldo
            panel(R, <int>columns, rows, 1, K, b + v * K * VL, False, start, to, offset,
                  min(<long>VL, O - (v + columns - 1) * VL))
            m += R
        v += columns


cdef void activate_block(int activation, real* y, long ldy, long rows, long columns) noexcept nogil:
    """y = activation(y) in place."""
    cdef long r, c
    if activation == LINEAR:
        return
    if columns == ldy:          # contiguous: no vector is cut at the end of a row
        columns *= rows
        rows = 1
    for r in range(rows):
        c = 0
        while c < columns:
            vstore_part(y + c, activate(activation, vload_part(y + c, columns - c)), columns - c)
            c += VL
        y += ldy


cdef void dense_share(const real* x, long K, const real* W, const real* b, int activation, real* y, long O, long m0,
                      long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    rows_by_packed(x, K, K, W, b, y, O, O, m0, m1)
    activate_block(activation, y + m0 * O, O, m1 - m0, O)
    denormals_restore(state)


cdef void blas_rows(const real* x, long M, long K, const real* w, bint transposed, const real* b, int activation, real* y,
                    long O, long i, long team) noexcept nogil:
    """y (M, O) = activation(x (M, K) w + b) through BLAS, the parts of thread i; w: (K, O), or (O, K) transposed."""
    cdef long down = parts_of(M, PART_ROWS), across = parts_of(O, PART_COLUMNS), part, m0, m1, j0, m
    cdef long columns, ldw = K if transposed else O
    cdef uint64_t state = denormals_off()
    for part in range(share(down * across, i, team), share(down * across, i + 1, team)):
        m0 = share(M, part // across, down)
        m1 = share(M, part // across + 1, down)
        j0 = share(O, part % across, across)
        columns = share(O, part % across + 1, across) - j0
        if b != NULL:
            for m in range(m0, m1):
                memcpy(y + m * O + j0, b + j0, columns * sizeof(real))
        gemm(False, transposed, m1 - m0, columns, K, x + m0 * K, K, w + (j0 * K if transposed else j0), ldw, b != NULL,
             y + m0 * O + j0, O)
        activate_block(activation, y + m0 * O + j0, O, m1 - m0, columns)
    denormals_restore(state)


cdef long row_team(long M, long K, long O, long threads) noexcept nogil:
    return 1 if M * K * O < SMALL_WORK else min(threads, (M + MR - 1) // MR)


def dense_forward(ndarray x not None, ndarray W not None, ndarray b, int activation, ndarray y not None, long threads,
                  ndarray w=None):
    """y (M, O) = activation(x (M, K) W + b), W and b packed; w: W (K, O) itself, which BLAS reads."""
    cdef long M = extent(x, 0), K = extent(x, 1), O = extent(y, 1), i, team
    cdef long padded = (O + VL - 1) // VL * VL, workers = row_team(M, K, O, threads)
    cdef const real* x_ = matrix(x, M, K, "x")
    cdef real* y_ = matrix_out(y, M, O, "y")
    cdef const real* w_ = aligned_const(vector(W, padded * K + SLACK, "W"))
    cdef const real* b_ = aligned_const(vector(b, padded + SLACK, "b"))
    cdef const real* plain = matrix(w, K, O, "w")
    cdef bint blas = blas_enter(plain != NULL and goes_to_blas(FORWARD, M, O, K))
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        if blas:
            blas_rows(x_, M, K, plain, False, b_, activation, y_, O, i, team)
        else:
            dense_share(x_, K, w_, b_, activation, y_, O, share(M, i, team), share(M, i + 1, team))
    blas_leave(blas)


def dense_scratch(long M, long K, long O, long threads):
    """Elements of scratch that dense_backward needs."""
    return threads * weights_scratch(M, K, O, O) + SLACK


def dense_backward(ndarray x not None, ndarray dz not None, ndarray WT, ndarray scratch not None, ndarray dx,
                   ndarray dW, ndarray db, long threads, ndarray w=None):
    """dx (M, K) = dz W^T, dW (K, O) = x^T dz, db (O) = sums of dz (M, O); WT packed, w: W (K, O) itself, which BLAS
    reads; dx, or dW with db, may be None."""
    cdef long M = extent(x, 0), K = extent(x, 1), O = extent(dz, 1), i, team
    cdef long workers = row_team(M, K, O, threads), per_thread = weights_scratch(M, K, O, O)
    cdef const real* dz_ = matrix(dz, M, O, "dz")
    cdef real* dx_ = matrix_out(dx, M, K, "dx")
    cdef const real* wt_ = aligned_const(vector(WT, O * ((K + VL - 1) // VL * VL) + SLACK, "WT"))
    cdef real* work = aligned(vector_out(scratch, threads * per_thread + SLACK, "scratch"))
    cdef const real* plain = matrix(w, K, O, "w")
    cdef Rnn p = problem(SIMPLE_RNN, M, 1, K, O, LINEAR, LINEAR, False, False, True, 1)
    cdef Outer outer
    cdef bint blas, blas_dx = dx_ != NULL and plain != NULL and goes_to_blas(BACKWARD, M, K, O)
    p.J = p.HP = O              # rows of dz are not padded
    p.dz = <real*>dz_           # nothing here writes to it
    outer.a = matrix(x, M, K, "x")
    outer.a_n = K
    outer.a_t = 0
    outer.M = K
    outer.n0 = 0
    outer.n1 = M
    outer.g0 = 0
    outer.g1 = 1
    outer.block = p.w_block
    outer.out = matrix_out(dW, K, O, "dW")
    outer.ldo = O
    outer.bias = vector_out(db, O, "db")
    outer.blas = outer.out != NULL and goes_to_blas(WEIGHTS, K, O, M)
    outer.of_state = outer.with_next = False
    blas = blas_enter(blas_dx or outer.blas)
    blas_dx = blas and blas_dx
    outer.blas = blas and outer.blas
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        if blas_dx:
            blas_rows(dz_, M, O, plain, True, NULL, LINEAR, dx_, K, i, team)
        elif dx_ != NULL:
            rows_by_packed(dz_, O, O, wt_, NULL, dx_, K, K, share(M, i, team), share(M, i + 1, team))
        if outer.out != NULL:
            weights_share(&p, &outer, 1, 1, 0, 1, i, team, work + i * per_thread)
    blas_leave(blas)


def pack_dense_t(ndarray w not None, ndarray out not None):
    """(K, O) -> its transpose for the input's gradient, [K / VL][O][VL]: rows are not padded, as dz's are not."""
    cdef long K = extent(w, 0), O = extent(w, 1)
    cdef int gate = 0
    pack_transposed(matrix(w, K, O, "w"), O, K, O, &gate, 1, O,
                    aligned(vector_out(out, O * ((K + VL - 1) // VL * VL) + SLACK, "out")))
