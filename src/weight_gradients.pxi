# The weights' gradients after all steps: sums over time and batch of outer products, in an order that the shapes alone fix.

cdef enum:
    K_BLOCK = 256           # rows of z that one pass sums over, at most: two of their packed columns fit into L1
    A_BLOCK = 1 << 20       # and bytes of the other factor: each strip of it is read in a row, so L3 will do
    IN_PLACE = 1024         # bytes from row to row up to which it is read where it is: rows farther apart share few sets
    FIRST_ROWS = 32         # of a step, from which on it pays to leave the first one out where the state is zeros


cdef struct Outer:
    # dW[M, gate g] = sum over active rows of a^T z[block of g], for gates g0 to g1, and the bias's sum
    const real* a               # row (t, n) at a + n * a_n + t * a_t, M elements
    long a_n, a_t, M
    int g0, g1
    const int* block
    real* out                   # row m at out + m * ldo, gate g's H columns at g * H
    long ldo
    real* bias                  # (gates, H) likewise or NULL
    bint of_state               # a is the state, or r h: zeros in the first step if p.from_zero
    bint blas                   # through BLAS: goes_to_blas, and there is one
    bint with_next              # the product that follows, of the same gates, is computed along with this one


cdef inline long strip_size() noexcept nogil:
    """A strip of MR columns of a, packed, and a bit: strips a power of two apart would share cache sets."""
    return K_BLOCK * MR + VL


cdef inline long a_columns() noexcept nogil:
    """Columns of a that are packed at a time: whole strips."""
    return A_BLOCK // (K_BLOCK * <long>sizeof(real)) // MR * MR


cdef inline long strips_of(long columns) noexcept nogil:
    return (columns + MR - 1) // MR


cdef long outer_scratch(long M) noexcept nogil:
    """Elements of scratch that one thread needs for an outer product of M rows."""
    return strips_of(min(M, a_columns())) * strip_size() + MC * VL * K_BLOCK


cdef inline const Outer* sharing(const Outer* o, const Outer* other, long g) noexcept nogil:
    """`other`, if there is one and it has o's columns of z for the gate g, counted from their first; else NULL."""
    if other != NULL and o.block[o.g0 + g] == other.block[other.g0 + g]:
        return other
    return NULL


cdef void outer_shares(const Rnn* p, const Outer* o, long i, long team, real* scratch) noexcept nogil:
    """Thread i's share: of columns, or of rows where these are clearly more, as every thread packs all of the others."""
    cdef long columns = (o.g1 - o.g0) * p.P, strips = strips_of(o.M)
    if o.with_next:
        strips += strips_of((o + 1).M)
    if 4 * strips * MR > 5 * columns * VL:
        outer_product(p, o, share(strips, i, team), share(strips, i + 1, team), 0, columns, scratch)
    else:
        outer_product(p, o, 0, strips, share(columns, i, team), share(columns, i + 1, team), scratch)


cdef void outer_product(const Rnn* p, const Outer* o, long s0, long s1, long v0, long v1, real* scratch) noexcept nogil:
    """Rows of strips s0 to s1 and column vectors v0 to v1 of (g1 - g0) * P; with_next: of two products at once, whose strips
    are counted on, and whose columns of a a_columns() holds. Sums go in the order of (t, n), in blocks of K_BLOCK."""
    cdef const Outer* other = o + 1 if o.with_next else NULL        # of the state
    cdef const Outer* along
    cdef long strips = strips_of(o.M), m0, m1, end = min(o.M, s1 * MR)
    cdef long other0 = max(0, s0 - strips) * MR, other1 = max(0, s1 - strips) * MR
    cdef real* b_packed = scratch                           # [columns][K][VL]
    cdef real* a_packed = scratch + MC * VL * K_BLOCK       # [strips][K_BLOCK][MR]
    cdef real* a_other = a_packed + strips * strip_size()
    cdef const real* there = NULL                           # a, if it is not packed
    cdef const real* other_there = NULL
    cdef long times[K_BLOCK]
    cdef long rows[K_BLOCK]
    cdef long t = 0, n = 0, K, v, columns, wide = full_width()
    cdef bint first = True, zeros, this_one, other_one, stored = False, other_stored = other == NULL
    if s0 == s1 or v0 == v1:
        return
    if other != NULL:
        other1 = min(other1, other.M)
    while t < p.T or not (stored and other_stored):
        zeros = t == 0 and p.T > 0 and p.from_zero and p.N >= FIRST_ROWS
        this_one = not (zeros and o.of_state)
        other_one = other != NULL and not zeros
        K = next_cells(p, &t, &n, 1 if zeros else p.T, 0, p.N, K_BLOCK, times, rows)
        m0 = min(o.M, s0 * MR)
        while True:
            m1 = min(end, m0 + a_columns())
            if this_one:
                there = rows_of(p, o, m0, m1, K, times, rows, a_packed)
            if other_one:
                other_there = rows_of(p, other, other0, other1, K, times, rows, a_other)
            v = v0
            while v < v1:
                columns = min(wide, v1 - v, p.P - v % p.P)
                along = sharing(o, other, v // p.P)
                pack_gate_columns(p, o, along, v, columns, K, times, rows, first, m0 == 0, b_packed)
                if this_one:
                    outer_block(p, o, m0, m1, v, <int>columns, K, stored, there, a_packed, b_packed)
                if along != other:
                    pack_gate_columns(p, other, NULL, v, columns, K, times, rows, first, m0 == 0, b_packed)
                if other_one:
                    outer_block(p, other, other0, other1, v, <int>columns, K, other_stored, other_there, a_other, b_packed)
                v += columns
            m0 = m1
            if m0 == end:
                break
        first = False
        stored = stored or this_one
        other_stored = other_stored or other_one


cdef inline const real* rows_of(const Rnn* p, const Outer* o, long m0, long m1, long K, const long* times, const long* rows,
                                real* packed) noexcept nogil:
    """The first of K rows of a if they follow one another at one distance that suits the cache; else NULL, and their
    columns m0 to m1 are packed."""
    if p.mask == NULL and K > 0 and (p.T == 1 or o.a_t == p.N * o.a_n) and o.a_n * <long>sizeof(real) <= IN_PLACE:
        return o.a + rows[0] * o.a_n + times[0] * o.a_t
    pack_strips(o, m0, m1, K, times, rows, packed)
    return NULL


cdef void pack_strips(const Outer* o, long m0, long m1, long K, const long* times, const long* rows,
                      real* out) noexcept nogil:
    """Columns m0 to m1 of K rows of a, as [strips][K_BLOCK][MR]."""
    cdef long M = m1 - m0, k, m
    cdef const real* source
    cdef real* to
    for k in range(K):
        source = o.a + rows[k] * o.a_n + times[k] * o.a_t + m0
        to = out + k * MR
        m = 0
        while m + MR <= M:
            memcpy(to, source + m, MR * sizeof(real))
            to += strip_size()
            m += MR
        memcpy(to, source + m, (M - m) * sizeof(real))


cdef void pack_gate_columns(const Rnn* p, const Outer* o, const Outer* other, long v, long columns, long K,
                            const long* times, const long* rows, bint first, bint sum_up, real* out) noexcept nogil:
    """Column vectors of one gate of K rows of z, as [columns][K][VL]; their sums go to the biases, if sum_up."""
    cdef int g = o.g0 + <int>(v // p.P)
    cdef long u = v % p.P, k, c, w = unit_width(p, u + columns - 1)
    cdef const real* z
    cdef vf total[MC]
    cdef vf value
    for c in range(columns):
        total[c] = vzero()
    for k in range(K):
        z = p.z + (times[k] * p.N + rows[k]) * p.J + o.block[g] * p.HP + u * VL
        prefetch(z + columns * VL, MC * VL)     # the next columns
        for c in range(columns):
            value = vload_part(z + c * VL, w if c == columns - 1 else VL)
            total[c] += value
            vstore(out + (c * K + k) * VL, value)
    if sum_up:
        add_bias(p, o, v, columns, total, first)
    if sum_up and other != NULL:
        add_bias(p, other, v, columns, total, first)


cdef inline void add_bias(const Rnn* p, const Outer* o, long v, long columns, const vf* total, bint first) noexcept nogil:
    """The sums of column vectors v on, added to the bias or the first that it is made of."""
    cdef long u = v % p.P, c, w
    cdef real* bias
    if o.bias == NULL:
        return
    for c in range(columns):
        bias = o.bias + (o.g0 + v // p.P) * p.H + (u + c) * VL
        w = unit_width(p, u + c)
        vstore_part(bias, total[c] if first else total[c] + vload_part(bias, w), w)


cdef void outer_block(const Rnn* p, const Outer* o, long m0, long m1, long v, int columns, long K, bint add,
                      const real* there, const real* a_packed, const real* b_packed) noexcept nogil:
    """out[m0:m1, column vectors v on] (+)= the product of a, which is there or packed, and of b, packed."""
    cdef const real* a[MR]
    cdef real* out[MR]
    cdef long offset[MC]
    cdef long m = m0, i, S = strip_size(), u = v % p.P, first = (o.g0 + v // p.P) * p.H + u * VL
    cdef int r, R
    for i in range(columns):
        offset[i] = first + i * VL
    while m < m1:
        R = <int>min(<long>MR, m1 - m)
        for r in range(R):
            a[r] = (there + m if there != NULL else a_packed + (m - m0) // MR * S) + r
            out[r] = o.out + (m + r) * o.ldo
        if add:
            for r in range(<int>min(<long>MR, m1 - m - R)):     # what the next tile adds to
                prefetch_to_write(out[R - 1] + (r + 1) * o.ldo + first, columns * VL)
        panel(R, columns, a, o.a_n if there != NULL else MR, K, b_packed, add, NULL, out, offset,
              unit_width(p, u + columns - 1))
        m += R
