# The weights' gradients through BLAS: parts of dW whose bounds the shape alone fixes, each the work of one thread.

cdef enum:
    PART_ROWS = 512     # of dW, at most, that one call computes
    PART_COLUMNS = 512  # and columns, of one gate
    PART_SUM = 384      # rows of z that one call sums over


cdef long blas_outer_scratch(long M, long H) noexcept nogil:
    """Elements of scratch that one thread needs for parts of (M, gates of H columns)."""
    return PART_SUM * (min(M, <long>PART_ROWS) + min(H, <long>PART_COLUMNS))


cdef long weights_scratch(long rows, long M, long H, long columns) noexcept nogil:
    """The same for the gradient of weights (M, columns), columns in gates of H, whichever way it is computed."""
    if goes_to_blas(WEIGHTS, M, columns, rows):
        return max(outer_scratch(M), blas_outer_scratch(M, H))
    return outer_scratch(M)


cdef void blas_outer_product(const Gradients* d, const Outer* o, long t0, long t1, long i, long team,
                             real* scratch) noexcept nogil:
    """What outer_product computes: the parts of thread i."""
    cdef long down = parts_of(o.M, PART_ROWS), across = parts_of(d.H, PART_COLUMNS), parts = down * across
    cdef long part, k
    cdef int g
    for part in range(share(parts * (o.g1 - o.g0), i, team), share(parts * (o.g1 - o.g0), i + 1, team)):
        g = o.g0 + <int>(part // parts)
        k = part % parts
        blas_part(d, o, t0, t1, g, share(o.M, k // across, down), share(o.M, k // across + 1, down),
                  share(d.H, k % across, across), share(d.H, k % across + 1, across), scratch)


cdef void blas_part(const Gradients* d, const Outer* o, long t0, long t1, int g, long m0, long m1, long j0, long j1,
                    real* scratch) noexcept nogil:
    """dW[m0:m1, columns j0 to j1 of gate g], summed in blocks of PART_SUM rows in the order of (t, n)."""
    cdef const real* a
    cdef const real* z
    cdef real* out = o.out + m0 * o.ldo + g * d.H + j0
    cdef long times[PART_SUM]
    cdef long rows[PART_SUM]
    cdef long t = t0, n = 0, K, lda, ldz
    cdef bint first = t1 == d.T
    while (t < t1 or (first and t1 == 0)) and not ends(d.watch):
        K = next_cells(d.mask, d.mask_n, d.mask_t, &t, &n, t1, 0, d.N, PART_SUM, times, rows)
        a = gathered(d, o.a + m0, o.a_n, o.a_t, m1 - m0, K, times, rows, scratch, &lda)
        z = gathered(d, first_row(d, t0) + o.block[g] * d.HP + j0, d.J, d.N * d.J, j1 - j0, K, times, rows,
                     scratch + PART_SUM * (m1 - m0), &ldz)
        gemm(True, False, m1 - m0, j1 - j0, K, a, lda, z, ldz, not first, out, o.ldo)
        if o.bias != NULL and m0 == 0:
            add_rows(z, ldz, K, j1 - j0, not first, o.bias + g * d.H + j0)
        first = False


cdef const real* gathered(const Gradients* d, const real* source, long n_stride, long t_stride, long width, long K,
                          const long* times, const long* rows, real* out, long* ld) noexcept nogil:
    """K rows of `source` and how far they are apart: where they are if that is one distance, else copied to `out`."""
    cdef long k
    ld[0] = t_stride if d.N == 1 else n_stride
    if K > 0 and d.mask == NULL and (d.N == 1 or d.T == 1 or t_stride == d.N * n_stride) \
            and width <= ld[0] <= BLAS_LARGEST:
        return source + rows[0] * n_stride + times[0] * t_stride
    ld[0] = width
    for k in range(K):
        memcpy(out + k * width, source + rows[k] * n_stride + times[k] * t_stride, width * sizeof(real))
    return out


cdef void add_rows(const real* z, long ld, long K, long width, bint add, real* sums) noexcept nogil:
    """sums[width] (+)= the sums of K rows of z."""
    cdef long c = 0, k
    cdef vf total
    while c < width:
        total = vload_part(sums + c, width - c) if add else vzero()
        for k in range(K):
            total += vload_part(z + k * ld + c, width - c)
        vstore_part(sums + c, total, width - c)
        c += VL
