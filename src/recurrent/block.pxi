# The products of one step: the gates of a few rows and units at a time, in a block that stays in the first cache from the
# products that make it to the state that it makes.
#
#   gate = b + x W + h U,   or z + h U where z holds what was projected ahead
#
# Both are one chain of multiply-adds in the order of W's rows, then U's: the same bits either way.

cdef enum:
    BLOCK_ROWS = 24     # rows of a block at most
    BLOCK_UNITS = 8     # vectors of units at most
    BLOCK = 192         # vectors of all its gates at most

cdef struct Block:
    long u0, u1, n0, n1         # the units, in vectors, and the rows that blocks are made of, one after the other
    long u, vectors             # the units of this one
    long n                      # the row that the next begins with
    bint turned                 # from the last units to the first
    int R
    long rows[BLOCK_ROWS]       # the rows, active ones only
    const real* x[BLOCK_ROWS]   # where each begins: its input,
    const real* h[BLOCK_ROWS]   # its state, or what else U multiplies,
    const real* z[BLOCK_ROWS]   # and what was projected ahead
    long size                   # elements of one gate
    real* gates                 # [slot][vectors][R][VL], slots in the order of z's blocks

cdef struct Columns:
    # what tiles compute side by side
    int n
    long D, H                   # lengths of the sums; 0: without
    const real* w[MC]           # [D][VL]
    const real* u[MC]           # [H][VL]
    const real* b[MC]           # [VL]
    long z[MC]                  # where in a row of z the sum begins, if not with b
    long to[MC]                 # where in the block it goes


cdef inline int block_width(int R, int left) noexcept nogil:
    """Columns to give to tiles of R rows at a time, of those that are left: they fill the registers, or divide without a rest
    so narrow that it would wait."""
    if R == 2 or R == 4:
        return 4 if left == 8 else min(6, left)
    return min(left, MC if R < 4 else 4)


cdef inline long block_units(const Rnn* p, long rows, long u0, long u1) noexcept nogil:
    """Vectors of units to take at a time: more where the rows are few."""
    return max(1, min(u1 - u0, <long>BLOCK_UNITS, p.cell.block_room // max(1, min(rows, <long>BLOCK_ROWS))))


cdef inline void start_blocks(const Rnn* p, Block* b, long n0, long n1, long u0, long u1) noexcept nogil:
    """The blocks of rows n0 to n1 and the units of vectors u0 to u1 are next."""
    b.n0 = b.n = n0
    b.n1 = n1
    b.u0 = b.u = u0
    b.u1 = u1
    b.vectors = block_units(p, n1 - n0, u0, u1)


cdef bint next_block(const Rnn* p, const Step* s, Block* b, const real* h, long ldh) noexcept nogil:
    """The next active rows, and what U multiplies of row n at h + n * ldh; False if there are none."""
    cdef int r, most
    cdef long n
    while b.u < b.u1:
        b.vectors = min(b.vectors, b.u1 - b.u)
        most = <int>min(<long>BLOCK_ROWS, p.cell.block_room // b.vectors)
        b.R = next_rows(p, s, &b.n, b.n1, most, b.rows)
        if b.R > 0:
            b.size = b.R * b.vectors * VL
            for r in range(b.R):
                n = singly(b.rows[r])
                b.x[r] = input_row(p, s.t, n)
                b.h[r] = h + n * ldh
                b.z[r] = row_ahead_of(p, s, n)
            return True
        b.n = b.n0
        b.u += b.vectors
    return False


cdef inline void gate_tiles(int R, int C, Block* b, Columns* q, int c0, int r, int r1, bint ahead) noexcept nogil:
    """Columns c0 to c0 + C on rows r to r1 in tiles of R x C, literals at each call."""
    cdef vf acc[MR * MC]
    cdef int i, c
    while r < r1:
        for c in range(C):
            for i in range(R):
                acc[i * C + c] = vload(b.z[r + i] + q.z[c0 + c]) if ahead else vload(q.b[c0 + c])
        if q.D > 0:
            tile_sum(R, C, acc, b.x + r, 1, q.D, q.w + c0)
        if q.H > 0:
            tile_sum(R, C, acc, b.h + r, 1, q.H, q.u + c0)
        for i in range(R):
            for c in range(C):
                vstore(b.gates + q.to[c0 + c] + (r + i) * VL, acc[i * C + c])
        r += R


cdef inline void tiles_of(int R, int C, Block* b, Columns* q, int c0, int r, int r1, bint ahead) noexcept nogil:
    """`gate_tiles` for a width known at run time only."""
    if R * 8 <= ACCUMULATORS and C == 8:
        gate_tiles(R, 8, b, q, c0, r, r1, ahead)
    elif R * 6 <= ACCUMULATORS and C == 6:
        gate_tiles(R, 6, b, q, c0, r, r1, ahead)
    elif R * 4 <= ACCUMULATORS and C == 4:
        gate_tiles(R, 4, b, q, c0, r, r1, ahead)
    elif R * 3 <= ACCUMULATORS and C == 3:
        gate_tiles(R, 3, b, q, c0, r, r1, ahead)
    elif R * 2 <= ACCUMULATORS and C == 2:
        gate_tiles(R, 2, b, q, c0, r, r1, ahead)
    else:
        gate_tiles(R, 1, b, q, c0, r, r1, ahead)


cdef void any_tiles(int R, int C, Block* b, Columns* q, int c0, int r, int r1, bint ahead) noexcept nogil:
    if R == 6:
        tiles_of(6, C, b, q, c0, r, r1, ahead)
    elif R == 5:
        tiles_of(5, C, b, q, c0, r, r1, ahead)
    elif R == 4:
        tiles_of(4, C, b, q, c0, r, r1, ahead)
    elif R == 3:
        tiles_of(3, C, b, q, c0, r, r1, ahead)
    elif R == 2:
        tiles_of(2, C, b, q, c0, r, r1, ahead)
    else:
        tiles_of(1, C, b, q, c0, r, r1, ahead)


cdef void block_columns(Block* b, Columns* q, bint ahead) noexcept nogil:
    """The columns on all rows of the block: a few columns at a time, whose weights stay in the first cache meanwhile."""
    cdef int R, c, C, r0 = 0, r1
    while r0 < b.R:
        R = tile_rows(b.R - r0)
        r1 = r0
        while tile_rows(b.R - r1) == R:     # as many tiles of as many rows
            r1 += R
        c = 0
        while c < q.n:
            C = tile_width(R, q.n - c)
            any_tiles(R, C, b, q, c, r0, r1, ahead)
            c += C
        r0 = r1


cdef void block_gates(const Rnn* p, Block* b, int g0, int g1, bint input, bint state, long ahead) noexcept nogil:
    """Gates g0 to g1 of the block: from the input, from the state, or from both.

    ahead: the steps for which the input is projected at a time; 0 if it is not.
    """
    cdef Columns q
    cdef int g, slot, R = tile_rows(b.R), left = <int>b.vectors * (g1 - g0), width = block_width(R, left)
    cdef long i, v, u
    q.n = 0
    q.D = p.D if input and ahead == 0 else 0
    q.H = p.H if state else 0
    for i in range(b.vectors):
        v = b.vectors - 1 - i if b.turned else i
        u = b.u + v
        for g in range(g0, g1):
            slot = p.cell.w_block[g] if input else p.cell.u_block[g]
            q.w[q.n] = p.W + (u * p.G + g) * p.D * VL
            q.u[q.n] = p.U + (u * p.G + g) * p.H * VL
            q.b[q.n] = p.b + (u * p.G + g) * VL if input else p.b_recurrent + u * VL
            q.z[q.n] = slot * p.HP + u * VL
            q.to[q.n] = slot * b.size + v * b.R * VL
            q.n += 1
            if q.n == width:
                block_columns(b, &q, input and ahead > 0)
                left -= width
                width = block_width(R, left)
                q.n = 0


cdef inline void expect(const Rnn* p, const Step* s, const Block* b, long ahead) noexcept nogil:
    """Prefetch what the block's rows meet next: output and gates of the next step, and the input that comes in next."""
    cdef int r
    cdef long next = s.t + max(1, ahead)
    if b.u > b.u0:
        return                  # the rows were met with their first units
    for r in range(b.R):
        if p.y != NULL:
            prefetch_to_write(s.y + b.rows[r] * p.y_n + p.y_t, p.H)
        if next < p.T and p.folded != NULL:
            prefetch(p.folded + p.index[b.rows[r] * p.index_n + next * p.index_t] * p.J, p.J)
        elif next < p.T:
            prefetch(input_row(p, next, b.rows[r]), p.D)
        if p.training and p.cell.keeps_gates and not p.long_tape:
            prefetch_to_write(s.z + (b.rows[r] + p.N) * p.J, p.J)
