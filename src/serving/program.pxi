# A frozen model as a list of operations, which any number of streams run. It never changes once streams have it.
from libc.stdlib cimport free, realloc

cdef class Program:
    """The layers of a model on time steps, in their order.

    Values are numbered: 0 is the input, each layer adds one. The last one that was added is the output.

    Args:
        width: features of the input; of indices 1.
        indices: rows of the table that the input names rows of; 0 where it is numbers.
        zero_is_padding: index 0 is no time step.
    """

    cdef Operation* operations
    cdef int count
    cdef readonly long indices
    cdef readonly bint zero_is_padding
    cdef readonly bint in_python    # some layer runs in Python
    cdef readonly list widths       # of each value
    cdef readonly list states       # of each state: the name of its layer, its own name, and its shape for one row
    cdef list kept                  # what operations point into

    def __init__(self, long width, long indices, bint zero_is_padding=False):
        if width < 1 or not 0 <= indices <= MOST_STEPS:
            raise ValueError("kernel arguments 'width', 'indices': expected sizes")
        self.widths = [width]
        self.indices = indices
        self.zero_is_padding = zero_is_padding
        self.states = []
        self.kept = []

    def __dealloc__(self):
        free(self.operations)

    cdef Operation* add(self, Operate run, tuple inputs, long width) except NULL:
        """A new operation, on its inputs; zero where it is not told."""
        cdef Operation* grown
        cdef Operation* o
        cdef int i
        cdef long value
        if not 1 <= len(inputs) <= MOST_INPUTS:
            raise ValueError(f"kernel argument 'inputs': expected 1 to {MOST_INPUTS} values, got {len(inputs)}")
        grown = <Operation*>realloc(self.operations, (self.count + 1) * sizeof(Operation))
        if grown == NULL:
            raise MemoryError("fastrnn: no memory for another operation of a stream")
        self.operations = grown
        o = &grown[self.count]
        memset(o, 0, sizeof(Operation))
        o.run = run
        o.inputs = <int>len(inputs)
        for i in range(o.inputs):
            value = inputs[i]
            if not 0 <= value < len(self.widths):
                raise ValueError(f"kernel argument 'inputs': expected values below {len(self.widths)}, got {value}")
            o.x[i] = <int>value
            o.D[i] = self.widths[value]
        o.O = width
        o.y = <int>len(self.widths)
        return o

    cdef int done(self, Operation* o, object keep, list states) except -1:
        """It is whole; returns its value."""
        o.state = <int>len(self.states)
        self.kept.append(keep)
        self.states += states
        self.widths.append(o.O)
        self.count += 1
        return o.y

    cdef int check_width(self, Operation* o, long width) except -1:
        if o.D[0] != width:
            raise ValueError(f"kernel argument 'inputs': expected a value of width {width}, got one of {o.D[0]}")
        return 0

    def recurrent(self, RecurrentRunner runner not None, int x, str name not None, bint masked=False):
        """A recurrent layer; the input may be indices if its table is folded into the runner. masked: it sees the mask that
        an Embedding makes of index 0."""
        cdef bint folded = runner.table is not None
        cdef Operation* o = self.add(recurrent_frames, (x,), runner.H)
        pack_changed(runner)
        if folded and (x != 0 or extent(runner.table, 0) != self.indices):
            raise ValueError("kernel argument 'x': expected the indices of the table that was folded")
        if not folded:
            self.check_width(o, runner.D)
        o.work = recurrent_work
        o.masked = masked
        o.cell = runner.cell
        o.activation = runner.activation
        o.recurrent_activation = runner.recurrent_activation
        o.D[0] = runner.D
        o.W = runner.W.at
        o.U = NULL if runner.U is None else runner.U.at
        o.b = runner.b.at
        o.peephole = NULL if runner.peephole is None else runner.peephole.at
        o.folded = runner.folded_at if folded else NULL
        return self.done(o, runner, [(name, state, (runner.H,)) for state in ("h", "c")[:o.cell.states]])

    def dense(self, DenseRunner runner not None, int x):
        cdef Operation* o = self.add(dense_frames, (x,), runner.O)
        runner.pack()
        self.check_width(o, runner.K)
        o.W = runner.W.at
        o.b = NULL if runner.b is None else runner.b.at
        o.activation = runner.activation
        o.softmax = runner.softmax
        return self.done(o, runner, [])

    def embedding(self, ndarray table not None, int x):
        """Rows of a table (V, O) by the indices that are the input."""
        cdef Operation* o = self.add(embedding_frames, (x,), extent(table, 1))
        if x != 0 or extent(table, 0) != self.indices:
            raise ValueError("kernel argument 'x': expected the input's indices")
        o.table = matrix(table, self.indices, o.O, "table")
        return self.done(o, table, [])

    def activation(self, int activation, bint softmax, int x):
        """An activation by its number in ACTIVATIONS, or softmax of each step."""
        cdef Operation* o = self.add(activation_frames, (x,), <long>self.widths[x])
        o.activation = activation
        o.softmax = softmax
        return self.done(o, None, [])

    def scale(self, ndarray scale, ndarray shift, int x):
        """x scale + shift, both (O,) or None."""
        cdef Operation* o = self.add(normalization_frames, (x,), <long>self.widths[x])
        o.pointwise = True
        return self.with_scale(o, scale, shift)

    def normalize(self, ndarray scale, ndarray shift, double epsilon, bint centered, int x):
        """Each step by its own mean and size; see `normalize_rows`."""
        cdef Operation* o = self.add(normalization_frames, (x,), <long>self.widths[x])
        o.epsilon = <real>epsilon
        o.centered = centered
        return self.with_scale(o, scale, shift)

    cdef int with_scale(self, Operation* o, ndarray scale, ndarray shift) except -1:
        o.scale = vector(scale, o.O, "scale")
        o.shift = vector(shift, o.O, "shift")
        return self.done(o, (scale, shift), [])

    def merge(self, int kind, tuple inputs not None):
        """Several values of one width as one, by their kind in MERGES; concatenated ones may differ in width."""
        cdef list widths = [self.widths[value] for value in inputs]
        cdef Operation* o
        if kind not in MERGES.values() or (kind != CONCATENATE and len(set(widths)) > 1):
            raise ValueError(f"kernel argument 'inputs': expected values of one width, got {widths}")
        o = self.add(merge_frames, inputs, sum(widths) if kind == CONCATENATE else widths[0])
        o.merge = kind
        return self.done(o, None, [])

    def convolution(self, ConvolutionRunner runner not None, long dilation, int x, str name not None):
        """A causal convolution over time, of one group."""
        cdef Operation* o = self.add(convolution_frames, (x,), runner.O)
        self.check_width(o, runner.X)
        if runner.down != 1 or runner.groups != 1 or runner.transposed or not 1 <= dilation <= MOST_STEPS:
            raise ValueError("kernel argument 'runner': expected a convolution over time")
        runner.pack_all()
        o.work = convolution_work
        o.taps = runner.across
        o.step = dilation
        o.W = runner.W.at
        o.b = NULL if runner.b is None else runner.b.at
        o.activation = runner.activation
        return self.done(o, runner, [(name, "past", (reach(o), runner.X))] if reach(o) > 0 else [])

    def python(self, layer not None, tuple inputs not None, long width):
        """A layer that works on each time step by itself: `layer(*arrays)`, each (rows, steps, features), gives an array of
        this width."""
        cdef Operation* o = self.add(python_frames, inputs, width)
        o.layer = <void*>layer
        self.in_python = True
        return self.done(o, layer, [])
