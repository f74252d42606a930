# The weights' gradients of a convolution: sums over all windows of outer products of a window and dz, in blocks of windows, in
# an order that the shapes alone fix. A block's windows are packed, with zeros for what is outside the input.

cdef struct WindowSums:
    const real* x               # (N, rows.inputs, columns.inputs, C)
    const real* dz              # (N, rows.outputs, columns.outputs, O)
    real* dW                    # (taps, X, O)
    real* db                    # (O,) or NULL
    const Axis* rows
    const Axis* columns
    long taps, taps_across
    long N, C, O
    long groups, X, Y           # X of C inputs and Y of O outputs in each group
    real* work                  # scratch of the threads
    long per_thread             # elements of it


cdef void window_sums_part(void* call, long i, long team) noexcept nogil:
    """Thread i's share of each group's product: of columns, or of rows where these are clearly more."""
    cdef WindowSums* s = <WindowSums*>call
    cdef uint64_t state = denormals_off()
    cdef long columns = (s.Y + VL - 1) // VL, tiles = tile_count(s.taps * s.X), each, g, first, last
    each = tiles if 4 * tiles * MR > 5 * columns * VL else columns
    for g in range(s.groups):
        first = max(0, share(s.groups * each, i, team) - g * each)
        last = min(each, share(s.groups * each, i + 1, team) - g * each)
        if first < last and each == tiles:
            window_sums(s, g, first, last, 0, columns, s.work + i * s.per_thread)
        elif first < last:
            window_sums(s, g, 0, tiles, first, last, s.work + i * s.per_thread)
    denormals_restore(state)


cdef void window_sums(const WindowSums* s, long g, long s0, long s1, long v0, long v1, real* scratch) noexcept nogil:
    """The rows of tiles s0 to s1 of group g's gradients, column vectors v0 to v1."""
    cdef long windows = s.N * s.rows.outputs * s.columns.outputs, M = s.taps * s.X, end = min(M, s1 * MR)
    cdef long window = 0, k, m0, m1, v, columns
    cdef Gradients d = one_step(s.dz + g * s.Y, windows, s.Y)
    cdef Outer o
    cdef Cells cells, none
    cdef Ahead ahead
    cdef real* b_packed = scratch                           # [columns][K][VL]
    cdef real* a_packed = scratch + MC * VL * K_BLOCK       # [strips][K_BLOCK][STRIP]
    d.J = s.O
    o.a = NULL
    o.a_n = o.a_t = 0
    o.M = M
    o.n0 = 0
    o.n1 = windows
    o.g0 = 0
    o.g1 = 1
    o.block = &ONLY_BLOCK
    o.out = s.dW + g * s.Y
    o.ldo = s.O
    o.bias = NULL if s.db == NULL else s.db + g * s.Y
    o.of_state = o.blas = o.with_next = False
    none.K = 0                                              # nothing is to come near: it was packed
    ahead.cells = &none
    ahead.o = &o
    ahead.other = NULL
    ahead.k = ahead.tile = 0
    ahead.tiles = 1
    while True:
        cells.K = min(<long>K_BLOCK, windows - window)
        for k in range(cells.K):
            cells.times[k] = 0
            cells.rows[k] = window + k
        m0 = s0 * MR
        while True:
            m1 = min(end, m0 + a_columns())
            pack_windows(s, g, window, cells.K, m0, m1, a_packed)
            v = v0
            while v < v1:
                columns = min(<long>full_width(), v1 - v)
                pack_gate_columns(&d, &o, NULL, d.dz, v, columns, &cells, window == 0, m0 == 0, b_packed)
                outer_block(&d, &o, m0, m1, v, <int>columns, cells.K, window > 0, NULL, a_packed, b_packed, &ahead)
                v += columns
            m0 = m1
            if m0 == end:
                break
        window += cells.K
        if window == windows:
            break


cdef void pack_windows(const WindowSums* s, long g, long window, long K, long m0, long m1, real* out) noexcept nogil:
    """Elements m0 to m1 of K windows, the first one given, as [strips][K_BLOCK][STRIP]."""
    cdef const Axis* down = s.rows
    cdef const Axis* across = s.columns
    cdef long n, h, w, k, i, wide = s.taps_across * s.X
    cdef const real* row
    if K == 0:
        return
    w = window % across.outputs
    h = window // across.outputs % down.outputs
    n = window // across.outputs // down.outputs
    for k in range(K):
        for i in range(m0 // wide, (m1 + wide - 1) // wide):
            row = NULL
            if down.tap[h] <= i < down.tap[h] + down.count[h]:
                row = s.x + (n * down.inputs + down.first[h] + (i - down.tap[h]) * down.step) * across.inputs * s.C + g * s.X
            pack_row(s, row, w, i * wide, m0, m1, out + k * STRIP)
        w += 1
        if w == across.outputs:
            w = 0
            h += 1
            if h == down.outputs:
                h = 0
                n += 1


cdef inline void pack_row(const WindowSums* s, const real* row, long w, long m, long m0, long m1, real* out) noexcept nogil:
    """The part of window w that lies in a row of the input, which is element m on of the window; NULL: outside the input."""
    cdef const Axis* across = s.columns
    cdef long end = m + s.taps_across * s.X, first = m + across.tap[w] * s.X, last = first + across.count[w] * s.X, j
    if row == NULL or across.count[w] == 0:
        put(NULL, m, end, m0, m1, out)
        return
    put(NULL, m, first, m0, m1, out)
    row += across.first[w] * s.C
    if across.step == 1 and s.groups == 1:
        put(row, first, last, m0, m1, out)
    else:
        for j in range(across.count[w]):
            put(row + j * across.step * s.C, first + j * s.X, first + (j + 1) * s.X, m0, m1, out)
    put(NULL, last, end, m0, m1, out)


cdef inline void put(const real* source, long m, long end, long m0, long m1, real* out) noexcept nogil:
    """Elements m to end of a window to their place, of those from m0 to m1; NULL: zeros."""
    cdef long width, c
    cdef real* to
    if m < m0:
        if source != NULL:
            source += m0 - m
        m = m0
    end = min(end, m1)
    while m < end:
        width = min(end - m, STRIP - (m - m0) % STRIP)
        to = out + (m - m0) // STRIP * strip_size() + (m - m0) % STRIP
        c = 0
        while c < width:
            vstore_part(to + c, vzero() if source == NULL else vload_part(source + c, width - c), width - c)
            c += VL
        if source != NULL:
            source += width
        m += width
