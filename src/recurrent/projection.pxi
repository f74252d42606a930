# The input projected for a chunk of steps before them: z = b + x W.
#
# Through BLAS that is one product a gate and a time (or, where the rows of a batch are fewer than the steps, a gate and a row).
# The parts depend on the shapes alone.

cdef enum:
    PROJECT_ROWS = 96       # rows that the projection prepares at a time, if the steps need not more at once
    BLAS_ROWS = 4096        # the same through BLAS


cdef void project(const Rnn* p, long t0, long t1, long n0, long n1, long u0, long u1) noexcept nogil:
    """z = x W + b for the active rows of steps t0 to t1 and the units of vectors u0 to u1."""
    cdef long q = u0 * p.G, t, n, time, row, c, columns, wide = MC if (t1 - t0) * (n1 - n0) < 3 else 4
    cdef real* z = z_rows(p, t0)
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long times[MR]
    cdef long rows[MR]
    cdef long offset[MC]
    cdef int r, R
    while q < u1 * p.G:
        columns = min(wide, u1 * p.G - q)
        for c in range(columns):
            offset[c] = p.cell.w_block[(q + c) % p.G] * p.HP + (q + c) // p.G * VL
        t = t0
        n = n0
        while True:
            R = <int>next_cells(p.mask, p.mask_n, p.mask_t, &t, &n, t1, n0, n1, MR, times, rows)
            if R == 0:
                break
            for r in range(R):
                time = singly(times[r])
                row = singly(rows[r])
                a[r] = input_row(p, time, row)
                out[r] = z + (time * p.N + row) * p.J
            panel(R, <int>columns, a, 1, p.D, p.W + q * p.D * VL, False, p.b + q * VL, out, offset, VL)
        q += columns


cdef void take_folded(const Rnn* p, long t0, long t1, long n0, long n1, long u0, long u1) noexcept nogil:
    """The same from the folded table, for a cell whose gates stay in z."""
    cdef long t, n, g
    cdef const real* row
    cdef real* z = z_rows(p, t0)
    for t in range(t0, t1):
        for n in range(n0, n1):
            row = p.folded + p.index[n * p.index_n + t * p.index_t] * p.J
            for g in range(p.G):
                memcpy(z + (t * p.N + n) * p.J + g * p.HP + u0 * VL, row + g * p.HP + u0 * VL,
                       (u1 - u0) * VL * sizeof(real))


cdef inline long blas_steps(long N, long T) noexcept nogil:
    """Steps whose input is projected at a time: never of the number of threads."""
    return max(1, min(T, BLAS_ROWS // max(1, N)))


cdef inline bint by_row(const Rnn* p) noexcept nogil:
    """One product for each row of the batch and all its steps, not for each step and all rows of the batch; where x's
    rows lie less than their length apart (reversed, or repeated) BLAS leaves no choice."""
    return (p.N < blas_steps(p.N, p.T) and p.x_t >= p.D) or p.x_n < p.D


cdef void blas_project(const Rnn* p, const real* w, long t0, long t1, long i, long team) noexcept nogil:
    """Thread i's part of z for all rows, gates and units of steps t0 to t1; w: W (D, G H) itself. x's rows lie at least
    their length apart in time or in the batch."""
    cdef bint rows = by_row(p)
    cdef long parts = p.N if rows else t1 - t0, part, n0, n1, s0, s1, n, t, u
    cdef int g
    cdef real* z = z_rows(p, t0)
    cdef real* out
    for part in range(share(parts * p.G, i, team), share(parts * p.G, i + 1, team)):
        g = <int>(part % p.G)
        n0 = part // p.G if rows else 0
        n1 = n0 + 1 if rows else p.N
        s0 = t0 if rows else t0 + part // p.G
        s1 = t1 if rows else s0 + 1
        for t in range(s0, s1):
            for n in range(n0, n1):
                out = z + (t * p.N + n) * p.J + p.cell.w_block[g] * p.HP
                for u in range(p.P):
                    vstore(out + u * VL, vload(p.b + (u * p.G + g) * VL))
        gemm(False, False, s1 - s0 if rows else p.N, p.H, p.D, p.x + n0 * p.x_n + s0 * p.x_t, p.x_t if rows else p.x_n,
             w + g * p.H, p.G * p.H, True, z + (s0 * p.N + n0) * p.J + p.cell.w_block[g] * p.HP, p.N * p.J if rows else p.J)
