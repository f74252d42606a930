# What runs a recurrent layer, in inference and in training, forward and back: its packed weights, sizes and activations.

cdef class RecurrentRunner(Runner):
    """Runs a recurrent layer with its weights as they are at each call. A variable has `data`, and a `version` that changes
    with it.

    Args:
        cell: its number in CELLS.
        activation, recurrent_activation: of ACTIVATIONS.
        kernel: the variable W (D, G H).
        recurrent_kernel: U (H, G H), or None where the cell has none.
        bias: (G H,), of a cell with two (2, G H), or None.
        peepholes: (3, H), or None.
        H: units.
        sequences: whether `output` gives all steps, else it gives the last.
    """

    cdef const Cell* cell
    cdef long D, H
    cdef int activation, recurrent_activation
    cdef bint sequences
    cdef Packed W               # [P][G][D][VL]
    cdef Packed U               # [P][G][H][VL], or None
    cdef Packed b               # [P][G][VL], and where there are two of them the last gate's of h U, [P][VL]
    cdef Packed peephole        # [P][3][VL], or None
    cdef Packed WT              # [D / VL][G * HP][VL], rows in the order of z's blocks
    cdef Packed UT              # for each phase [P][its blocks * HP][VL], or None
    cdef ndarray table          # (V, D), or None: what has been folded, see `fold`
    cdef ndarray folded         # [V][J]: of each row of it b + x W, as z has it
    cdef real* folded_at        # where that begins
    cdef list idle              # tapes of inference, one for each thread that predicts at the moment

    def __init__(self, long cell, int activation, int recurrent_activation, kernel not None, recurrent_kernel, bias,
                 peepholes, long H, bint sequences):
        cdef ndarray w = kernel.data
        self.cell = cell_of(cell)
        if self.cell.has_recurrent_kernel != (recurrent_kernel is not None):
            raise ValueError("kernel argument 'recurrent_kernel': expected a variable where the cell has one, else None")
        if peepholes is not None and self.cell.peepholes == 0:
            raise ValueError("kernel argument 'peepholes': this cell has no peepholes")
        self.D = extent(w, 0)
        self.H = H
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.sequences = sequences
        self.W = Packed(kernel)
        self.WT = Packed(kernel)
        self.b = Packed(bias)
        if recurrent_kernel is not None:
            self.U = Packed(recurrent_kernel)
            self.UT = Packed(recurrent_kernel)
        if peepholes is not None:
            self.peephole = Packed(peepholes)
        self.idle = []

    def pack(self, bint gradients):
        """Pack again what has changed; gradients: also what these go through."""
        pack_changed(self)
        if gradients:
            pack_input_gradient(self)
            pack_state_gradient(self)

    # inference -------------------------------------------------------------------------------------------------------

    def packed(self):
        """What calls of inference read of the weights, as the kernels have it, for `take_packed`: read-only arrays."""
        cdef Packed p
        pack_changed(self)
        return [p.view() for p in (self.W, self.U, self.b, self.peephole) if p is not None]

    def take_packed(self, list packed not None):
        """Read the weights where `packed` of this layer's runner has left them, of the same kernels."""
        cdef long G = self.cell.gates, P = (self.H + VL - 1) // VL
        cdef list parts = [p for p in (self.W, self.U, self.b, self.peephole) if p is not None]
        cdef Packed p
        cdef ndarray array
        if len(packed) != len(parts):
            raise ValueError(f"kernel argument 'packed': expected {len(parts)} arrays, got {len(packed)}")
        for p, array in zip(parts, packed):
            if p is self.W:
                p.take(array, self.D * G * P * VL)
            elif p is self.U:
                p.take(array, self.H * G * P * VL)
            elif p is self.b:
                p.take(array, (2 * G + 1) * P * VL)
            else:
                p.take(array, self.cell.peepholes * P * VL)

    def folded_table(self):
        """What `fold` has computed, read-only, for `take_folded`; or None."""
        if self.table is None:
            return None
        view = self.folded[self.folded_at - <real*>cnp.PyArray_DATA(self.folded):][
            :self.folded_size(extent(self.table, 0)) // <long>sizeof(real)]
        view.setflags(write=False)
        return view

    def take_folded(self, ndarray table not None, ndarray folded not None):
        """As `fold`, of what it computed before."""
        matrix(table, extent(table, 0), self.D, "table")
        self.folded_at = <real*>packed_at(folded, self.folded_size(extent(table, 0)) // <long>sizeof(real))
        self.folded = folded
        self.table = table

    def fold(self, ndarray table not None, long threads):
        """Compute b + x W once for each row x of a table (V, D). Calls of inference whose input is rows of that table
        read the sums from then on, to the same bits; neither the table nor the weights may change."""
        cdef Rnn p
        cdef long V = extent(table, 0)
        pack_changed(self)
        p = problem(self.cell, V, 1, self.D, self.H, self.activation, self.recurrent_activation, False, False, 1)
        p.x = matrix(table, V, self.D, "table")
        p.x_n = self.D
        take_weights(self, &p)
        self.folded = buffer(V * p.J)
        p.z = self.folded_at = aligned(<real*>cnp.PyArray_DATA(self.folded))
        run(fold_part, &p, threads, <long long>V * self.D * p.G * self.H)
        self.table = table

    def has_folded(self, ndarray table):
        """Whether that is the table."""
        return table is not None and table is self.table

    def folded_size(self, long V):
        """Bytes that `fold` takes for a table of V rows."""
        return V * problem(self.cell, 1, 1, self.D, self.H, 0, 0, False, False, 1).J * <long>sizeof(real)

    cdef ndarray infer(self, ndarray x, long threads):
        cdef Forward f
        cdef ndarray y, tape
        cdef cnp.npy_intp shape[3]
        if cnp.PyArray_NDIM(x) != 3 or not is_ready(x, self.D) or cnp.PyArray_SIZE(x) == 0:
            return None
        take_forward(self, &f, x, None, False, False, False, True, threads)
        shape[0] = f.p.N
        shape[1] = f.p.T if self.sequences else self.H
        shape[2] = self.H
        y = cnp.PyArray_EMPTY(3 if self.sequences else 2, shape, REAL_TYPE, 0)
        if self.sequences:
            f.p.y = <real*>cnp.PyArray_DATA(y)
            f.p.y_n = f.p.T * self.H
            f.p.y_t = self.H
        else:
            f.hT = <real*>cnp.PyArray_DATA(y)
        tape = self.borrow(&f)
        run_forward(&f, NULL, threads, (x, self))
        self.idle.append(tape)
        return y

    cdef ndarray borrow(self, Forward* f):
        """A tape for a call of inference, that no other thread has at the moment."""
        cdef ndarray tape = self.idle.pop() if self.idle else None
        if tape is None or cnp.PyArray_DIM(tape, 0) < f.tape:
            tape = buffer(f.tape)
        carve(&f.p, <real*>cnp.PyArray_DATA(tape), False)
        return tape

    # calls that are made ready first -----------------------------------------------------------------------------------

    def forward_call(self, long threads, ndarray x not None, ndarray index=None, ndarray mask=None, ndarray h0=None,
                     ndarray c0=None, ndarray y=None, int final=0, bint zero_output=False, RecurrentTape tape=None,
                     ndarray x_drop=None, ndarray h_drop=None):
        """A pass over all steps that is ready to `run`, by up to `threads` threads.

        Args:
            x: (N, T, D) of any strides; or a table (V, D), of which x is the rows `index`, (N, T).
            mask: bool (N, T), False where a step hands its state on; with zero_output its y is zero.
            h0, c0: the first states, (N, H), None for zeros.
            y: (N, T, H) of any strides, filled with the outputs, or None.
            final: how many of the final states are wanted.
            tape: of training, where a backward pass is to follow: it finds there what it needs.
            x_drop: of training, (N, D): what x has been multiplied by.
            h_drop: of training, (N, H): what U's input is multiplied by.
        """
        cdef ForwardCall call = ForwardCall.__new__(ForwardCall)
        cdef Forward* f = &call.f
        cdef cnp.npy_intp shape[2]
        cdef ndarray state
        cdef int k
        take_forward(self, f, x, index, zero_output, tape is not None, h_drop is not None, h0 is None, threads)
        if final > self.cell.states or (self.cell.states == 1 and c0 is not None):
            raise ValueError("kernel arguments 'c0', 'final': this cell has one state")
        if tape is None and not (x_drop is None and h_drop is None):
            raise ValueError("kernel arguments 'x_drop', 'h_drop': dropout needs a tape")
        f.h0 = matrix(h0, f.p.N, self.H, "h0")
        f.c0 = matrix(c0, f.p.N, self.H, "c0")
        f.p.y = sequence_out(y, f.p.N, f.p.T, self.H, &f.p.y_n, &f.p.y_t, "y")
        f.p.mask = booleans(mask, f.p.N, f.p.T, &f.p.mask_n, &f.p.mask_t)
        f.p.h_drop = matrix(h_drop, f.p.N, self.H, "h_drop")
        matrix(x_drop, f.p.N, self.D, "x_drop")
        shape[0] = f.p.N
        shape[1] = self.H
        call.final = []
        for k in range(final):
            state = cnp.PyArray_EMPTY(2, shape, REAL_TYPE, 0)
            call.final.append(state)
            if k == 0:
                f.hT = <real*>cnp.PyArray_DATA(state)
            else:
                f.cT = <real*>cnp.PyArray_DATA(state)
        if tape is not None:
            if index is not None:
                raise ValueError("kernel argument 'index': training takes the rows themselves")
            carve(&f.p, tape.begin(f, x, mask, x_drop, h_drop), h_drop is not None)
            call.tape = tape
            call.memory = tape.memory
        call.runner = self
        call.arrays = (x, index, mask, h0, c0, y, h_drop)
        call.threads = threads
        call.tape_size = f.tape
        return call

    def backward_call(self, long threads, RecurrentTape tape not None, ndarray dy=None, ndarray dhT=None, ndarray dcT=None,
                      ndarray dx=None, ndarray dW=None, ndarray dU=None, ndarray db=None, ndarray dpeephole=None,
                      ndarray dh0=None, ndarray dc0=None):
        """The gradients of what a pass left on the tape, which they use up, ready to `run`, by up to `threads` threads.

        Args:
            dy: (N, T, H) of any strides, the gradient of the outputs, or None for zero.
            dhT, dcT: (N, H), those of the final states, or None for zero.
            dx, dW, dU, db, dpeephole, dh0, dc0: what is filled, each None where it is not wanted; all of the weights'
                gradients or none. dx: (N, T, D) of any strides; the others have the shapes of what they are gradients of.
        """
        cdef BackwardCall call = BackwardCall.__new__(BackwardCall)
        if tape.cell != self.cell or tape.H != self.H or tape.D != self.D:
            raise ValueError("kernel argument 'tape': expected one that a forward pass of this layer has filled")
        take_backward(self, &call.f, tape, dy, dhT, dcT, dx, dW, dU, db, dpeephole, dh0, dc0, threads)
        call.arrays = (self, tape.memory, tape.scratch, tape.x, tape.mask, tape.x_drop, tape.h_drop, dy, dhT, dcT, dx, dW,
                       dU, db, dpeephole, dh0, dc0)
        call.threads = threads
        tape.end()
        return call


cdef void fold_part(void* call, long i, long team) noexcept nogil:
    cdef Rnn* p = <Rnn*>call
    project(p, 0, 1, share(p.N, i, team), share(p.N, i + 1, team), 0, p.P)


cdef class RecurrentTape:
    """What a forward pass in training leaves for the backward pass, in memory that the next pass uses again."""

    cdef const Cell* cell       # NULL: there is nothing on it
    cdef long D, H
    cdef ndarray memory, scratch
    cdef readonly ndarray x     # (N, T, D), dropout applied
    cdef readonly ndarray mask  # (N, T), or None
    cdef readonly ndarray x_drop    # (N, D), what x has been multiplied by, or None
    cdef readonly ndarray h_drop    # (N, H), what U's input is multiplied by, or None
    cdef bint from_zero, zero_output
    cdef public bint given      # the caller's mark: the first states were inputs, whose gradients are wanted

    cdef real* begin(self, Forward* f, ndarray x, ndarray mask, ndarray x_drop, ndarray h_drop) except NULL:
        """A forward pass is to fill it. Returns where."""
        if self.memory is None or cnp.PyArray_DIM(self.memory, 0) < f.tape:
            self.memory = None          # before there is a larger one
            self.memory = buffer(f.tape)
        self.cell = NULL
        self.D = f.p.D
        self.H = f.p.H
        self.x = x
        self.mask = mask
        self.x_drop = x_drop
        self.h_drop = h_drop
        self.from_zero = f.p.from_zero
        self.zero_output = f.p.zero_output
        return <real*>cnp.PyArray_DATA(self.memory)

    cdef real* work(self, long size) except NULL:
        """Scratch of so many elements."""
        if self.scratch is None or cnp.PyArray_DIM(self.scratch, 0) < size:
            self.scratch = None
            self.scratch = buffer(size)
        return aligned(<real*>cnp.PyArray_DATA(self.scratch))

    cdef int end(self) except -1:
        """It is used up: its gates are overwritten."""
        self.cell = NULL
        self.x = self.mask = self.x_drop = self.h_drop = None
        return 0


cdef class RecurrentCall:
    """A call that is ready: it has a plan, and its arrays are checked."""

    cdef tuple arrays           # that it points into
    cdef long threads           # that it was made for
    cdef bint used

    cdef int use(self, RecurrentCall other, long threads) except -1:
        """It is run, and maybe another one at once."""
        if self.used:
            raise RuntimeError("kernel call: it was run before; make another one")
        self.used = True
        if other is not None:
            other.use(None, 0)
            if self.threads != threads_each(threads) or other.threads != self.threads:
                raise ValueError(f"kernel argument 'threads': two calls at once must be made for threads_each({threads})")
        return 0


cdef class ForwardCall(RecurrentCall):
    """A pass that is ready, see `RecurrentRunner.forward_call`."""

    cdef Forward f
    cdef RecurrentRunner runner
    cdef RecurrentTape tape     # of training
    cdef ndarray memory         # it has
    cdef readonly list final    # the final states that are wanted, (N, H)
    cdef readonly long tape_size    # elements that it takes beside its arrays

    def run(self, ForwardCall other=None, long threads=0):
        """Run it, once; or with another one beside it, where each was made for threads_each(threads)."""
        cdef ndarray tape = None, second = None
        self.use(other, threads)
        if self.memory is None:
            tape = self.runner.borrow(&self.f)
        if other is not None and other.memory is None:
            second = other.runner.borrow(&other.f)
        run_forward(&self.f, NULL if other is None else &other.f, threads, (self, other))
        self.fill()
        if other is not None:
            other.fill()
        if tape is not None:
            self.runner.idle.append(tape)
        if second is not None:
            other.runner.idle.append(second)

    cdef int fill(self) except -1:
        """The tape of training is filled: a call that has ended before its end leaves none."""
        if self.tape is not None:
            self.tape.cell = self.f.p.cell
        return 0


cdef class BackwardCall(RecurrentCall):
    """Gradients that are ready to be computed, see `RecurrentRunner.backward_call`."""

    cdef Backward f

    def run(self, BackwardCall other=None, long threads=0):
        """As that of ForwardCall."""
        self.use(other, threads)
        run_backward(&self.f, NULL if other is None else &other.f, threads)
