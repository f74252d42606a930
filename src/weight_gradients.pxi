# The weights' gradients after all steps: sums over time and batch of outer products, in an order that the shapes alone fix.

cdef enum:
    K_BLOCK = 256       # rows of z that one pass sums over, at most
    A_BLOCK = 65536     # and elements of the other factor, which has to stay in the cache meanwhile


cdef struct Outer:
    # dW[M, gate g] = sum over active rows of a^T z[block of g], for gates g0 to g1, and the bias's sum
    const real* a               # row (t, n) at a + n * a_n + t * a_t, M elements
    long a_n, a_t, M
    int g0, g1
    const int* block
    real* out                   # row m at out + m * ldo, gate g's H columns at g * H
    long ldo
    real* bias                  # (gates, H) likewise or NULL


cdef inline long strip_size() noexcept nogil:
    """A strip of MR columns of a, packed; a vector store of its last row may run over by less than VL."""
    return K_BLOCK * MR + VL


cdef long outer_scratch(long M) noexcept nogil:
    """Elements of scratch that one thread needs for an outer product of M rows."""
    return (M + MR - 1) // MR * strip_size() + MC * VL * K_BLOCK


cdef void outer_product(const Rnn* p, const Outer* o, long v0, long v1, real* scratch) noexcept nogil:
    """Column vectors v0 to v1 of (g1 - g0) * P. Rows are summed in the order of (t, n), in blocks of K_BLOCK."""
    cdef long strips = (o.M + MR - 1) // MR, S = strip_size()
    cdef real* b_packed = scratch                           # [columns][K][VL]
    cdef real* a_packed = scratch + MC * VL * K_BLOCK       # [strips][K_BLOCK][MR]
    cdef long times[K_BLOCK]
    cdef long rows[K_BLOCK]
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long offset[MC]
    cdef long t = 0, n = 0, K, k, s, v, c, u, m, w, columns, wide = 4 if ACCUMULATORS > 12 else 2
    cdef long block = min(<long>K_BLOCK, max(<long>64, A_BLOCK // o.M))
    cdef int g, r, R
    cdef bint first = True
    cdef const real* source
    cdef vf total, value
    while t < p.T or first:
        K = next_cells(p, &t, &n, p.T, 0, p.N, block, times, rows)
        for k in range(K):
            source = o.a + rows[k] * o.a_n + times[k] * o.a_t
            m = 0
            while m + VL <= o.M and VL >= MR:       # one vector store a strip: what it has too much is overwritten
                vstore(a_packed + m // MR * S + k * MR, vload(source + m))
                m += MR
            while m < o.M:
                a_packed[m // MR * S + k * MR + m % MR] = source[m]
                m += 1
        v = v0
        while v < v1:
            g = o.g0 + <int>(v // p.P)
            u = v % p.P
            columns = min(wide, v1 - v, p.P - u)
            for c in range(columns):
                offset[c] = g * p.H + (u + c) * VL
                w = unit_width(p, u + c)
                total = vzero()
                for k in range(K):
                    if c == 0:                  # the next columns
                        prefetch(p.z + (times[k] * p.N + rows[k]) * p.J + o.block[g] * p.HP + (u + columns) * VL, wide * VL)
                    value = vload_part(p.z + (times[k] * p.N + rows[k]) * p.J + o.block[g] * p.HP + (u + c) * VL, w)
                    total = total + value
                    vstore(b_packed + (c * K + k) * VL, value)
                if o.bias != NULL:
                    if not first:
                        total = total + vload_part(o.bias + offset[c], w)
                    vstore_part(o.bias + offset[c], total, w)
            for s in range(strips):
                R = <int>min(<long>MR, o.M - s * MR)
                for r in range(R):
                    a[r] = a_packed + s * S + r
                    out[r] = o.out + (s * MR + r) * o.ldo
                panel(R, <int>columns, a, MR, K, b_packed, not first, NULL, out, offset, unit_width(p, u + columns - 1))
            v += columns
        first = False
