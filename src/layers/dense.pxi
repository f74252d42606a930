# Dense layers: products of plain row-major matrices with the same tiles, threads over the rows; and what runs a layer.

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


cdef struct DenseForward:
    const real* x               # (M, K)
    const real* W               # packed [O / VL][K][VL]
    const real* b               # packed [O / VL][VL] or NULL
    const real* w               # (K, O) if BLAS multiplies, or NULL
    int activation
    real* y                     # (M, O)
    long M, K, O


cdef void dense_forward_part(void* call, long i, long team) noexcept nogil:
    cdef DenseForward* f = <DenseForward*>call
    if f.w != NULL:
        blas_rows(f.x, f.M, f.K, f.w, False, f.b, f.activation, f.y, f.O, i, team)
    else:
        dense_share(f.x, f.K, f.W, f.b, f.activation, f.y, f.O, share(f.M, i, team), share(f.M, i + 1, team))


cdef int ONLY_BLOCK = 0         # of a layer without gates


cdef Gradients one_step(const real* dz, long M, long O) noexcept nogil:
    """dz (M, O) of a layer that has no steps, its rows not padded."""
    cdef Gradients d
    d.dz = dz
    d.N = M
    d.slots = d.T = 1
    d.J = d.H = d.HP = O
    d.P = (O + VL - 1) // VL
    d.mask = NULL
    d.mask_n = d.mask_t = 0
    d.from_zero = False
    d.watch = NULL
    return d


cdef struct DenseBackward:
    Gradients dz                # (M, O): one gate, one step
    Outer outer
    const real* WT              # packed [K / VL][O][VL]
    const real* w               # (K, O) if BLAS computes dx, or NULL
    real* dx                    # (M, K) or NULL
    real* work                  # scratch of the threads
    long per_thread             # elements of it
    long M, K, O


cdef void dense_backward_part(void* call, long i, long team) noexcept nogil:
    cdef DenseBackward* f = <DenseBackward*>call
    if f.dx != NULL and f.w != NULL:
        blas_rows(f.dz.dz, f.M, f.O, f.w, True, NULL, LINEAR, f.dx, f.K, i, team)
    elif f.dx != NULL:
        rows_by_packed(f.dz.dz, f.O, f.O, f.WT, NULL, f.dx, f.K, f.K, share(f.M, i, team), share(f.M, i + 1, team))
    if f.outer.out != NULL:
        weights_share(&f.dz, &f.outer, 1, 1, 0, 1, i, team, f.work + i * f.per_thread)


cdef class DenseRunner(Runner):
    """Runs a dense layer, y = activation(x W + b) on the last axis, and back.

    Args:
        kernel: a variable, W (K, O): has `data`, and a `version` that changes with it.
        bias: the same of b (O,), or None.
        activation: of ACTIVATIONS.
        softmax: the activation is softmax instead.
    """

    cdef Packed W               # [O / VL][K][VL]
    cdef Packed WT              # [K / VL][O][VL]: rows are not padded, as dz's are not
    cdef Packed b               # [O / VL][VL], or None
    cdef long K, O
    cdef int activation
    cdef bint softmax

    def __init__(self, kernel not None, bias, int activation, bint softmax=False):
        cdef ndarray w = kernel.data
        self.K = extent(w, 0)
        self.O = extent(w, 1)
        self.W = Packed(kernel)
        self.WT = Packed(kernel)
        self.b = None if bias is None else Packed(bias)
        self.activation = activation
        self.softmax = softmax

    cdef int pack(self) except -1:
        """Pack what has changed, W and b."""
        cdef long P = (self.O + VL - 1) // VL
        if self.W.changed():
            pack_again(self.W, self.K, self.O, P * VL * self.K, False)
        if self.b is not None and self.b.changed():
            pack_again(self.b, 1, self.O, P * VL, False)
        return 0

    def packed(self):
        """As `RecurrentRunner.packed`."""
        cdef Packed p
        self.pack()
        return [p.view() for p in (self.W, self.b) if p is not None]

    def take_packed(self, list packed not None):
        """As `RecurrentRunner.take_packed`."""
        take_two(self.W, self.b, (self.O + VL - 1) // VL * VL * self.K, (self.O + VL - 1) // VL * VL, packed)

    cdef ndarray infer(self, ndarray x, long threads):
        cdef DenseForward f
        cdef ndarray y
        cdef bint blas
        if not is_ready(x, self.K):
            return None
        self.pack()
        y = with_width(x, self.O)
        f.x = <const real*>cnp.PyArray_DATA(x)
        f.y = <real*>cnp.PyArray_DATA(y)
        f.M = count_rows(x)
        f.K = self.K
        f.O = self.O
        f.W = self.W.at
        f.b = NULL if self.b is None else self.b.at
        f.activation = LINEAR if self.softmax else self.activation
        blas = blas_enter(goes_to_blas(FORWARD, f.M, f.O, f.K))
        f.w = <const real*>cnp.PyArray_DATA(self.W.source) if blas else NULL
        run(dense_forward_part, &f, row_team(f.M, f.K, f.O, threads), f.M * f.K * f.O)
        blas_leave(blas)
        if self.softmax:
            run_softmax(f.y, f.y, f.M, f.O, threads)
        return y

    def scratch_size(self, ndarray x not None, long threads):
        """Elements of scratch that `backward` needs."""
        return threads * weights_scratch(count_rows(x), self.K, self.O, self.O) + SLACK

    def backward(self, ndarray x not None, ndarray dz not None, bint wanted, ndarray dW, ndarray db,
                 ndarray scratch not None, long threads):
        """A new dx (..., K) = dz W^T if it is wanted, else None; dW (K, O) = x^T dz and db (O,) = sums of dz, neither or
        dW alone or both; for x (..., K) and dz (..., O)."""
        cdef DenseBackward f
        cdef ndarray dx = None
        cdef long M = count_rows(x), K = self.K, O = self.O
        cdef bint blas, blas_dx
        f.M = M
        f.K = K
        f.O = O
        f.per_thread = weights_scratch(M, K, O, O)
        f.outer.a = rows(x, M, K, "x")
        f.dz = one_step(rows(dz, M, O, "dz"), M, O)
        f.work = aligned(vector_out(scratch, threads * f.per_thread + SLACK, "scratch"))
        f.outer.a_n = K
        f.outer.a_t = 0
        f.outer.M = K
        f.outer.n0 = 0
        f.outer.n1 = M
        f.outer.g0 = 0
        f.outer.g1 = 1
        f.outer.block = &ONLY_BLOCK
        f.outer.out = matrix_out(dW, K, O, "dW")
        f.outer.ldo = O
        f.outer.bias = vector_out(db, O, "db")
        f.outer.blas = f.outer.out != NULL and goes_to_blas(WEIGHTS, K, O, M)
        f.outer.of_state = f.outer.with_next = False
        f.dx = NULL
        f.WT = f.w = NULL
        if wanted:
            if self.WT.changed():
                pack_again(self.WT, K, O, O * ((K + VL - 1) // VL * VL), True)
            dx = with_width(x, K)
            f.dx = <real*>cnp.PyArray_DATA(dx)
            f.WT = self.WT.at
        blas_dx = wanted and goes_to_blas(BACKWARD, M, K, O)
        blas = blas_enter(blas_dx or f.outer.blas)
        if blas and blas_dx:
            f.w = <const real*>cnp.PyArray_DATA(self.WT.source)
        f.outer.blas = blas and f.outer.blas
        run(dense_backward_part, &f, row_team(M, K, O, threads), 2 * M * K * O)
        blas_leave(blas)
        return dx


cdef int take_two(Packed W, Packed b, long size, long bias, list packed) except -1:
    """A packed kernel, and a packed bias if there is one."""
    if len(packed) != (1 if b is None else 2):
        raise ValueError(f"kernel argument 'packed': expected {1 if b is None else 2} arrays, got {len(packed)}")
    W.take(<ndarray?>packed[0], size)
    if b is not None:
        b.take(<ndarray?>packed[1], bias)
    return 0


cdef int pack_again(Packed p, long K, long O, long size, bint transposed) except -1:
    """The variable (K, O), or (O,) where K is 1, as columns or transposed."""
    cdef long version = p.variable.version
    cdef ndarray data = p.variable.data
    cdef const real* w = elements(data, K * O, "weight")
    cdef real* out = p.room(size)
    if transposed:
        pack_transposed(w, O, K, O, &ONLY_BLOCK, 1, O, out)
    else:
        pack_columns(w, O, K, O, &ONLY_BLOCK, 1, out)
    return p.keeps(data, version)
