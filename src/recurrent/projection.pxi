# The input projection of a chunk of steps through BLAS, before these steps: z = b + x W, one product a gate and a time (or,
# where the rows of a batch are fewer than the steps, a gate and a row). The parts depend on the shapes alone.

cdef enum:
    BLAS_ROWS = 4096        # rows of z that are projected at a time


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
                out = z + (t * p.N + n) * p.J + p.w_block[g] * p.HP
                for u in range(p.P):
                    vstore(out + u * VL, vload(p.b + (u * p.G + g) * VL))
        gemm(False, False, s1 - s0 if rows else p.N, p.H, p.D, p.x + n0 * p.x_n + s0 * p.x_t, p.x_t if rows else p.x_n,
             w + g * p.H, p.G * p.H, True, z + (s0 * p.N + n0) * p.J + p.w_block[g] * p.HP, p.N * p.J if rows else p.J)
