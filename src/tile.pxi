# The one product that everything is made of: rows of A times packed columns of B.
#
# B is packed in vectors of VL columns, [column vector][K][VL]: any few column vectors make a tile, so a tile's
# shape can follow the number of rows at hand. A tile of R rows x C vectors stays in registers over the whole sum.
# Each output element is one chain of multiply-adds in the order of k, whatever R and C: results do not depend
# on how rows and columns were dealt to tiles or threads.

cdef enum:
    MR = 6          # rows of the largest tile
    MC = 8          # column vectors of the widest


cdef inline void tile(int R, int C, const real** a, long step, long K, const real* b, bint add, const real* bias,
                      real** out, const long* offset, long width) noexcept nogil:
    """out[r][offset[c]:+VL] (+)= bias[c] + sum over k of a[r][k * step] * b[c][k].

    R, C: literals at each call. b: [C][K][VL]; bias: [C][VL] or NULL; width: columns of the last vector that exist.
    """
    cdef vf acc[MR][MC]
    cdef vf row[MR]
    cdef vf column[MC]
    cdef long k, i = 0
    cdef int r, c
    for c in range(C):
        for r in range(R):
            if add:
                acc[r][c] = vload(out[r] + offset[c]) if c < C - 1 else vload_part(out[r] + offset[c], width)
            elif bias != NULL:
                acc[r][c] = vload(bias + c * VL)
            else:
                acc[r][c] = vzero()
    # What is fewer is held in registers, so that the accumulators never spill.
    for k in range(K):
        if R <= C:
            for r in range(R):
                row[r] = vset1(a[r][i])
            for c in range(C):
                column[0] = vload(b + (c * K + k) * VL)
                for r in range(R):
                    acc[r][c] += row[r] * column[0]
        else:
            for c in range(C):
                column[c] = vload(b + (c * K + k) * VL)
            for r in range(R):
                row[0] = vset1(a[r][i])
                for c in range(C):
                    acc[r][c] += row[0] * column[c]
        i += step
    for r in range(R):
        for c in range(C - 1):
            vstore(out[r] + offset[c], acc[r][c])
        if width == VL:
            vstore(out[r] + offset[C - 1], acc[r][C - 1])
        else:
            vstore_part(out[r] + offset[C - 1], acc[r][C - 1], width)


cdef inline void panel_of(int R, int columns, const real** a, long step, long K, const real* b, bint add,
                          const real* bias, real** out, const long* offset, long width) noexcept nogil:
    """The panel in tiles as wide as the registers allow; no tile narrower than it must be."""
    cdef int c = 0, rest
    cdef const real* d = bias
    while c < columns:
        rest = columns - c
        if bias != NULL:
            d = bias + c * VL
        if R * 8 <= ACCUMULATORS and rest >= 8:
            tile(R, 8, a, step, K, b + c * K * VL, add, d, out, offset + c, width if rest == 8 else VL)
            c += 8
        elif R * 6 <= ACCUMULATORS and rest >= 6:
            tile(R, 6, a, step, K, b + c * K * VL, add, d, out, offset + c, width if rest == 6 else VL)
            c += 6
        elif R * 4 <= ACCUMULATORS and rest >= 4 and rest != 6:
            tile(R, 4, a, step, K, b + c * K * VL, add, d, out, offset + c, width if rest == 4 else VL)
            c += 4
        elif R * 3 <= ACCUMULATORS and rest >= 3 and rest != 4:
            tile(R, 3, a, step, K, b + c * K * VL, add, d, out, offset + c, width if rest == 3 else VL)
            c += 3
        elif R * 2 <= ACCUMULATORS and rest >= 2:
            tile(R, 2, a, step, K, b + c * K * VL, add, d, out, offset + c, width if rest == 2 else VL)
            c += 2
        else:
            tile(R, 1, a, step, K, b + c * K * VL, add, d, out, offset + c, width if rest == 1 else VL)
            c += 1


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
