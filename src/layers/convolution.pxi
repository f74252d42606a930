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


cdef class ConvolutionRunner:
    """Runs a convolution, y = activation(x * W + b), and back; or what goes the other way, a transposed one.

    Args:
        kernel: a variable, W (rows, columns, inputs of a group, outputs), or without the rows: has `data`, and a `version`
            that changes with it. Of a transposed convolution, (rows, columns, outputs, inputs).
        bias: the same of b (outputs,), or None.
        activation: of ACTIVATIONS.
        groups: of channels, each of which has a part of the outputs.
        transposed: the outputs are what would be inputs.
    """

    cdef Packed W               # [groups][outputs of one / VL][rows][columns][inputs of one][VL]
    cdef Packed WT              # [groups][inputs of one / VL][rows][columns][outputs of one][VL]: taps as `Windows.place` says
    cdef Packed b               # [groups][outputs of one / VL][VL], or None
    cdef long down, across, X, O, groups
    cdef int activation
    cdef bint transposed

    def __init__(self, kernel not None, bias, int activation, long groups, bint transposed):
        cdef ndarray w = kernel.data
        cdef int ndim = cnp.PyArray_NDIM(w)
        if not 3 <= ndim <= 4:
            refuse(w, "kernel", "3 or 4 dimensions")
        self.down = extent(w, 0) if ndim == 4 else 1
        self.across = extent(w, ndim - 3)
        self.X = extent(w, ndim - 2)
        self.O = extent(w, ndim - 1)
        if groups < 1 or self.O % groups or (transposed and groups > 1):
            refuse(w, "kernel", f"{groups} groups of outputs")
        self.W = Packed(kernel)
        self.WT = Packed(kernel)
        self.b = None if bias is None else Packed(bias)
        self.activation = activation
        self.groups = groups
        self.transposed = transposed

    def output(self, ndarray x not None, ndarray y not None, Windows rows not None, Windows columns not None, long threads):
        """y (N, rows, columns, outputs) of the layer for x (N, rows, columns, inputs)."""
        self.product(x, y, rows, columns, self.transposed, True, threads)

    def input_gradient(self, ndarray dz not None, ndarray dx not None, Windows rows not None, Windows columns not None,
                       long threads):
        """dx, of the shape of x, for dz, the gradient of what enters the activation."""
        self.product(dz, dx, rows, columns, not self.transposed, False, threads)

    cdef int product(self, ndarray x, ndarray y, Windows rows, Windows columns, bint back, bint whole, long threads) except -1:
        cdef Convolution p
        cdef Packed packed = self.WT if back else self.W
        cdef long work
        self.check_windows(rows, columns)
        p.groups = self.groups
        p.X = self.O // self.groups if back else self.X
        p.Y = self.X if back else self.O // self.groups
        p.C = p.groups * p.X
        p.O = p.groups * p.Y
        p.rows = &rows.back if back else &rows.forward
        p.columns = &columns.back if back else &columns.forward
        p.taps = self.down * self.across
        p.taps_across = self.across
        p.N = extent(x, 0)
        p.x = elements(x, p.N * p.rows.inputs * p.columns.inputs * p.C, "x")
        p.y = elements_out(y, p.N * p.rows.outputs * p.columns.outputs * p.O, "y")
        if packed.changed():
            self.pack(packed, back, rows, columns)
        p.b = packed.at
        p.bias = NULL
        p.activation = LINEAR
        if whole:
            p.activation = self.activation
            if self.b is not None:
                if self.b.changed():
                    self.pack_bias(p.Y)
                p.bias = self.b.at
        work = p.N * p.rows.outputs * p.columns.outputs * p.taps * p.X * p.O
        run(convolution_part, &p, 1 if work < SMALL_WORK else min(threads, p.N * p.rows.outputs * p.columns.outputs), work)
        return 0

    cdef int check_windows(self, Windows rows, Windows columns) except -1:
        if rows.taps != self.down or columns.taps != self.across:
            raise ValueError(f"kernel argument 'windows': expected ({self.down}, {self.across}) taps, got "
                             f"({rows.taps}, {columns.taps})")
        return 0

    cdef int pack(self, Packed p, bint back, Windows rows, Windows columns) except -1:
        cdef long version = p.variable.version, taps = self.down * self.across, g, v, i, j, place
        cdef long X = self.X, Y = self.O // self.groups, O = self.O, vectors = ((X if back else Y) + VL - 1) // VL
        cdef ndarray data = p.variable.data
        cdef const real* w = elements(data, taps * X * O, "weight")
        cdef real* out = p.room(self.groups * vectors * taps * (Y if back else X) * VL)
        for g in range(self.groups):
            if not back:
                pack_columns(w + g * Y, O, taps * X, Y, &ONLY_BLOCK, 1, out + g * vectors * taps * X * VL)
                continue
            for v in range(vectors):
                for i in range(self.down):
                    for j in range(self.across):
                        place = (g * vectors + v) * taps + rows.place[i] * self.across + columns.place[j]
                        pack_transposed(w + ((i * self.across + j) * X + v * VL) * O + g * Y, O, min(<long>VL, X - v * VL), Y,
                                        &ONLY_BLOCK, 1, Y, out + place * Y * VL)
        return p.keeps(data, version)

    cdef int pack_bias(self, long Y) except -1:
        cdef long version = self.b.variable.version, g, vectors = (Y + VL - 1) // VL
        cdef ndarray data = self.b.variable.data
        cdef const real* b = elements(data, self.groups * Y, "weight")
        cdef real* out = self.b.room(self.groups * vectors * VL)
        for g in range(self.groups):
            pack_columns(b + g * Y, Y, 1, Y, &ONLY_BLOCK, 1, out + g * vectors * VL)
        return self.b.keeps(data, version)

    def scratch_size(self, long threads):
        """Elements of scratch that `weight_gradients` needs."""
        return threads * outer_scratch(self.down * self.across * self.X) + SLACK

    def weight_gradients(self, ndarray x not None, ndarray dz not None, ndarray dW not None, ndarray db,
                         ndarray scratch not None, Windows rows not None, Windows columns not None, long threads):
        """dW, of the kernel's shape, and db (outputs,) or None; of a transposed convolution dW alone."""
        cdef WindowSums s
        cdef long work
        self.check_windows(rows, columns)
        if self.transposed:
            if db is not None:
                raise ValueError("kernel argument 'db': expected None of a transposed convolution")
            x, dz = dz, x
        s.groups = self.groups
        s.X = self.X
        s.Y = self.O // self.groups
        s.C = s.groups * s.X
        s.O = self.O
        s.rows = &rows.forward
        s.columns = &columns.forward
        s.taps = self.down * self.across
        s.taps_across = self.across
        s.N = extent(x, 0)
        s.x = elements(x, s.N * s.rows.inputs * s.columns.inputs * s.C, "x")
        s.dz = elements(dz, s.N * s.rows.outputs * s.columns.outputs * s.O, "dz")
        s.dW = elements_out(dW, s.taps * s.X * s.O, "dW")
        s.db = vector_out(db, s.O, "db")
        s.per_thread = outer_scratch(s.taps * s.X)
        s.work = aligned(vector_out(scratch, threads * s.per_thread + SLACK, "scratch"))
        work = s.N * s.rows.outputs * s.columns.outputs * s.taps * s.X * s.O
        run(window_sums_part, &s, 1 if work < SMALL_WORK else threads, work)
