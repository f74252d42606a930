# The object that runs a convolution: its weights, packed where they have changed, and its passes.

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

    def packed(self):
        """As `RecurrentRunner.packed`."""
        cdef Packed p
        self.pack_all()
        return [p.view() for p in (self.W, self.b) if p is not None]

    def take_packed(self, list packed not None):
        """As `RecurrentRunner.take_packed`."""
        cdef long vectors = self.groups * ((self.O // self.groups + VL - 1) // VL)
        take_two(self.W, self.b, vectors * self.down * self.across * self.X * VL, vectors * VL, packed)

    cdef int pack_all(self) except -1:
        """Pack what has changed, W and b, of a convolution that is not transposed."""
        if self.W.changed():
            self.pack(self.W, False, None, None)
        if self.b is not None and self.b.changed():
            self.pack_bias(self.O // self.groups)
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
