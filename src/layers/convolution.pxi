# Convolutions in one or two dimensions, and their input's gradients: the rows of a product are the windows where they lie in
# the input, so that nothing is copied (no im2col) and what padding would add is left out.

cdef struct Taps:
    # what there is of a window: `down` times `across` pieces, so many elements in a row each
    long down, across, length
    long a_down, a_across       # from one piece to the next in the input
    long b_down, b_across       # and in each packed column vector


cdef inline void window_tile(int R, int C, const real** a, const Taps* taps, const real* b, long column, const real* bias,
                             real** out, const long* offset, long width) noexcept nogil:
    """out[r][offset[c]:+VL] = bias[c] + the sum over a window at a[r] times b[c]. R, C: literals at each call; b: C vectors,
    `column` elements apart; bias: [C][VL] or NULL; of out's last vectors `width` elements exist."""
    cdef vf acc[MR * MC]
    cdef const real* rows[MR]
    cdef const real* columns[MC]
    cdef long i, j
    cdef int r, c
    for c in range(C):
        for r in range(R):
            acc[r * C + c] = vload(bias + c * VL) if bias != NULL else vzero()
    for i in range(taps.down):
        for j in range(taps.across):
            for r in range(R):
                rows[r] = a[r] + i * taps.a_down + j * taps.a_across
            for c in range(C):
                columns[c] = b + c * column + i * taps.b_down + j * taps.b_across
            tile_sum(R, C, acc, rows, 1, taps.length, columns)
    for r in range(R):
        for c in range(C):
            vstore_part(out[r] + offset[c], acc[r * C + c], width if c == C - 1 else VL)


cdef inline void window_panel_of(int R, int columns, const real** a, const Taps* taps, const real* b, long column,
                                 const real* bias, real** out, const long* offset, long width) noexcept nogil:
    cdef int c = 0, C
    cdef const real* start = bias
    cdef long last
    while c < columns:
        C = tile_width(R, columns - c)
        last = width if c + C == columns else VL
        if bias != NULL:
            start = bias + c * VL
        if R * 4 <= ACCUMULATORS and C == 4:
            window_tile(R, 4, a, taps, b + c * column, column, start, out, offset + c, last)
        elif R * 3 <= ACCUMULATORS and C == 3:
            window_tile(R, 3, a, taps, b + c * column, column, start, out, offset + c, last)
        elif R * 2 <= ACCUMULATORS and C == 2:
            window_tile(R, 2, a, taps, b + c * column, column, start, out, offset + c, last)
        else:
            C = 1
            window_tile(R, 1, a, taps, b + c * column, column, start, out, offset + c, width if c + 1 == columns else VL)
        c += C


cdef void window_panel(int R, int columns, const real** a, const Taps* taps, const real* b, long column, const real* bias,
                       real** out, const long* offset, long width) noexcept nogil:
    """`window_tile` for any R <= MR and columns <= WINDOW_COLUMNS known at run time only."""
    if R == 6:
        window_panel_of(6, columns, a, taps, b, column, bias, out, offset, width)
    elif R == 5:
        window_panel_of(5, columns, a, taps, b, column, bias, out, offset, width)
    elif R == 4:
        window_panel_of(4, columns, a, taps, b, column, bias, out, offset, width)
    elif R == 3:
        window_panel_of(3, columns, a, taps, b, column, bias, out, offset, width)
    elif R == 2:
        window_panel_of(2, columns, a, taps, b, column, bias, out, offset, width)
    elif R == 1:
        window_panel_of(1, columns, a, taps, b, column, bias, out, offset, width)


cdef enum:
    WINDOW_COLUMNS = 4      # column vectors that a block of rows goes through at a time


cdef struct Convolution:
    const real* x               # (N, rows.inputs, columns.inputs, C)
    const real* b               # packed [groups][Y / VL][taps][X][VL]
    const real* bias            # packed [groups][Y / VL][VL] or NULL
    real* y                     # (N, rows.outputs, columns.outputs, O)
    const Axis* rows
    const Axis* columns
    long taps, taps_across      # of the whole kernel, and of a row of it
    long N, C, O
    long groups, X, Y           # X of C inputs and Y of O outputs in each group
    int activation


cdef void convolution_part(void* call, long i, long team) noexcept nogil:
    """Of samples if there are enough for all, else of rows, or of columns. Windows of one shape make tiles, be they of one
    sample or of several."""
    cdef Convolution* p = <Convolution*>call
    cdef long n0 = 0, n1 = p.N, h0 = 0, h1 = p.rows.outputs, w0 = 0, w1 = p.columns.outputs, n, g, h, run, begin, end
    cdef long chunk = max(<long>MR, ROW_BLOCK // max(1, w1))
    cdef uint64_t state = denormals_off()
    if p.N >= 4 * team or p.N % team == 0:
        n0 = share(p.N, i, team)
        n1 = share(p.N, i + 1, team)
    elif h1 >= 4 * team or h1 > w1:
        h0 = share(p.rows.outputs, i, team)
        h1 = share(p.rows.outputs, i + 1, team)
    else:
        w0 = share(p.columns.outputs, i, team)
        w1 = share(p.columns.outputs, i + 1, team)
    n = n0
    while n < n1:
        for g in range(p.groups):
            for h in range(h0, h1):
                begin = 0
                for run in range(p.columns.runs):
                    end = p.columns.ends[run]
                    if max(begin, w0) < min(end, w1):
                        window_run(p, g, h, n, min(n + chunk, n1), max(begin, w0), min(end, w1))
                    begin = end
        n += chunk
    denormals_restore(state)


cdef void window_run(const Convolution* p, long g, long h, long n, long n1, long begin, long end) noexcept nogil:
    """Group g of outputs of row h, of samples n to n1: those of one run, begin to end of the order."""
    cdef const Axis* across = p.columns
    cdef const real* a[ROW_BLOCK]
    cdef real* out[ROW_BLOCK]
    cdef Taps taps
    cdef long at = begin, w = across.order[begin], count, column = p.taps * p.X * VL
    cdef const real* b = p.b + g * ((p.Y + VL - 1) // VL) * column
    cdef const real* bias = p.bias
    if bias != NULL:
        bias += g * ((p.Y + VL - 1) // VL) * VL
    b += (p.rows.tap[h] * p.taps_across + across.tap[w]) * p.X * VL
    taps.down = p.rows.count[h]
    taps.across = across.count[w]
    taps.length = p.X
    taps.a_down = p.rows.step * across.inputs * p.C
    taps.a_across = across.step * p.C
    taps.b_down = p.taps_across * p.X * VL
    taps.b_across = p.X * VL
    if across.step == 1 and p.groups == 1:      # neighbours in the input, and in the kernel
        taps.length *= taps.across
        taps.across = 1
    while n < n1:
        count = 0
        while count < ROW_BLOCK and n < n1:
            w = across.order[at]
            a[count] = p.x + ((n * p.rows.inputs + p.rows.first[h]) * across.inputs + across.first[w]) * p.C + g * p.X
            out[count] = p.y + ((n * p.rows.outputs + h) * across.outputs + w) * p.O + g * p.Y
            count += 1
            at += 1
            if at == end:
                at = begin
                n += 1
        window_block(p, count, a, &taps, b, column, bias, out)


cdef void window_block(const Convolution* p, long count, const real** a, const Taps* taps, const real* b, long column,
                       const real* bias, real** out) noexcept nogil:
    """All columns of some rows."""
    cdef long vectors = (p.Y + VL - 1) // VL, v = 0, columns, r, c
    cdef long offset[WINDOW_COLUMNS]
    cdef const real* start = NULL
    cdef int R
    while v < vectors:
        columns = min(<long>WINDOW_COLUMNS, vectors - v)
        for c in range(columns):
            offset[c] = (v + c) * VL
        if bias != NULL:
            start = bias + v * VL
        r = 0
        while r < count:
            R = tile_rows(count - r)
            window_panel(R, <int>columns, a + r, taps, b + v * column, column, start, out + r, offset,
                         vector_width(p.Y, v + columns - 1))
            r += R
        v += columns
    if p.activation != LINEAR:
        for r in range(count):
            activate_block(p.activation, out[r], p.Y, 1, p.Y)
