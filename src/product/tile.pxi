# The one product that everything is made of: rows of A times packed columns of B.
#
# B is packed in vectors of VL columns, [column vector][K][VL]: any few column vectors make a tile, so a tile's
# shape can follow the number of rows at hand. A tile of R rows x C vectors stays in registers over the whole sum.
# Each output element is one chain of multiply-adds in the order of k, whatever R and C: results do not depend
# on how rows and columns were dealt to tiles or threads.

cdef enum:
    MR = 6          # rows of the largest tile
    MC = 8          # column vectors of the widest


cdef inline void tile_sum(int R, int C, vf* acc, const real** a, long step, long K, const real** b) noexcept nogil:
    """acc[r * C + c] += sum over k of a[r][k * step] * b[c][k]; R, C: literals at each call. b[c]: [K][VL]."""
    cdef vf row[MR]
    cdef vf column[MC]
    cdef long k, i = 0
    cdef int r, c
    # What is fewer is held in registers, so that the accumulators never spill.
    for k in range(K):
        if R <= C:
            for r in range(R):
                row[r] = vset1(a[r][i])
            for c in range(C):
                column[0] = vload(b[c] + k * VL)
                for r in range(R):
                    acc[r * C + c] += row[r] * column[0]
        else:
            for c in range(C):
                column[c] = vload(b[c] + k * VL)
            for r in range(R):
                row[0] = vset1(a[r][i])
                for c in range(C):
                    acc[r * C + c] += row[0] * column[c]
        i += step


cdef inline void tile(int R, int C, const real** a, long step, long K, const real* b, bint add, const real* bias,
                      real** out, const long* offset, long width) noexcept nogil:
    """out[r][offset[c]:+VL] (+)= bias[c] + sum over k of a[r][k * step] * b[c][k].

    R, C: literals at each call. b: [C][K][VL]; bias: [C][VL] or NULL; of out's last vectors `width` elements exist.
    """
    cdef vf acc[MR * MC]
    cdef const real* columns[MC]
    cdef int r, c
    for c in range(C):
        columns[c] = b + c * K * VL
    if add:
        for c in range(C):
            for r in range(R):
                acc[r * C + c] = vload_part(out[r] + offset[c], width if c == C - 1 else VL)
    elif bias != NULL:
        for c in range(C):
            for r in range(R):
                acc[r * C + c] = vload(bias + c * VL)
    else:
        for c in range(C):
            for r in range(R):
                acc[r * C + c] = vzero()
    tile_sum(R, C, acc, a, step, K, columns)
    for r in range(R):
        for c in range(C):
            vstore_part(out[r] + offset[c], acc[r * C + c], width if c == C - 1 else VL)


cdef inline long vector_width(long columns, long v) noexcept nogil:
    """Columns of vector v that exist: VL, fewer in the last."""
    return min(<long>VL, columns - v * VL)


cdef inline int tile_rows(long rows) noexcept nogil:
    """Rows of the next tile, 0 at the end; 7 and 8 go in halves."""
    return 4 if rows == 7 or rows == 8 else <int>min(<long>MR, rows)


cdef inline int tile_width(int R, int columns) noexcept nogil:
    """Columns of the next tile of R rows: as many as the registers allow, but none left so few that it would wait."""
    if R == 1 and VL * sizeof(real) == 64 and columns >= 4:
        return 4            # a load is a cache line: more streams would only fall out with each other in the cache
    if R * 8 <= ACCUMULATORS and columns >= 8:
        return 8
    if R * 6 <= ACCUMULATORS and columns >= 6 and columns != 8:
        return 6
    if R * 4 <= ACCUMULATORS and columns >= 4 and columns != 6:
        return 4
    if R * 3 <= ACCUMULATORS and columns >= 3 and columns != 4:
        return 3
    return 2 if R * 2 <= ACCUMULATORS and columns >= 2 else 1


cdef inline int full_width() noexcept nogil:
    """Columns of a tile of MR rows."""
    return ACCUMULATORS // MR


cdef inline void panel_of(int R, int columns, const real** a, long step, long K, const real* b, bint add,
                          const real* bias, real** out, const long* offset, long width) noexcept nogil:
    cdef int c = 0, C
    cdef const real* start = bias
    cdef long last
    while c < columns:
        C = tile_width(R, columns - c)
        last = width if c + C == columns else VL
        if bias != NULL:
            start = bias + c * VL
        if R * 8 <= ACCUMULATORS and C == 8:
            tile(R, 8, a, step, K, b + c * K * VL, add, start, out, offset + c, last)
        elif R * 6 <= ACCUMULATORS and C == 6:
            tile(R, 6, a, step, K, b + c * K * VL, add, start, out, offset + c, last)
        elif R * 4 <= ACCUMULATORS and C == 4:
            tile(R, 4, a, step, K, b + c * K * VL, add, start, out, offset + c, last)
        elif R * 3 <= ACCUMULATORS and C == 3:
            tile(R, 3, a, step, K, b + c * K * VL, add, start, out, offset + c, last)
        elif R * 2 <= ACCUMULATORS and C == 2:
            tile(R, 2, a, step, K, b + c * K * VL, add, start, out, offset + c, last)
        else:
            tile(R, 1, a, step, K, b + c * K * VL, add, start, out, offset + c, last)
        c += C


cdef void panel(int R, int columns, const real** a, long step, long K, const real* b, bint add, const real* bias,
                real** out, const long* offset, long width) noexcept nogil:
    """`tile` for any R <= MR and columns <= MC known at run time only."""
    if R == 6:
        panel_of(6, columns, a, step, K, b, add, bias, out, offset, width)
    elif R == 5:
        panel_of(5, columns, a, step, K, b, add, bias, out, offset, width)
    elif R == 4:
        panel_of(4, columns, a, step, K, b, add, bias, out, offset, width)
    elif R == 3:
        panel_of(3, columns, a, step, K, b, add, bias, out, offset, width)
    elif R == 2:
        panel_of(2, columns, a, step, K, b, add, bias, out, offset, width)
    elif R == 1:
        panel_of(1, columns, a, step, K, b, add, bias, out, offset, width)
