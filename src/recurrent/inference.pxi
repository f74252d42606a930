# The calls that services make most: an array goes in, an output comes out, and states, if there are any, are handed on from
# call to call. A small layer's arithmetic takes less time than saying in Python what `forward` must know; so it is said once.

cdef class Inference:
    """A recurrent layer's forward pass over all steps, without dropout or anything kept for a backward pass.

    Args:
        cell, H, activation, recurrent_activation: as `forward` has them.
        W, U, b, b_recurrent, w, peephole: as `forward` has them.
        variables: objects whose `version` changes with the weights: from then on `output` and `run` give None.
    """

    cdef int cell, activation, recurrent_activation
    cdef long D, H, version
    cdef ndarray W, U, b, b_recurrent, w, peephole
    cdef list variables
    cdef list idle              # tapes, one for each thread that predicts at the moment

    def __init__(self, int cell, long H, int activation, int recurrent_activation, ndarray W, ndarray U, ndarray b,
                 ndarray b_recurrent, ndarray w not None, list variables not None, ndarray peephole=None):
        self.cell = cell
        self.H = H
        self.activation = activation
        self.recurrent_activation = recurrent_activation
        self.D = extent(w, 0)
        self.W = W
        self.U = U
        self.b = b
        self.b_recurrent = b_recurrent
        self.w = w
        self.peephole = peephole
        self.variables = variables
        self.version = versions(variables)
        self.idle = []

    def output(self, x, long threads, bint sequences):
        """(N, T, H) with `sequences`, else (N, H), for x (N, T, D), from states of zeros; None if the weights have changed,
        or x is not a contiguous array of the kernel's type and that width, with at least one step and sample."""
        cdef Forward f
        cdef ndarray y
        cdef cnp.npy_intp shape[3]
        if not cnp.PyArray_CheckExact(x) or not has_steps(x, self.D) or versions(self.variables) != self.version:
            return None
        self.take(&f, x, False, True, threads)
        shape[0] = f.p.N
        shape[1] = f.p.T if sequences else self.H
        shape[2] = self.H
        y = cnp.PyArray_EMPTY(3 if sequences else 2, shape, REAL_TYPE, 0)
        if sequences:
            f.p.y = <real*>cnp.PyArray_DATA(y)
            f.p.y_n = f.p.T * self.H
            f.p.y_t = self.H
        else:
            f.hT = <real*>cnp.PyArray_DATA(y)
        self.on_a_tape(&f, threads, x)
        return y

    def run(self, ndarray x not None, ndarray y, ndarray mask, ndarray h0, ndarray c0, bint zero_output, int wanted,
            long threads):
        """Fill y (N, T, H) for x (N, T, D) of any strides, see `forward`; returns a list of as many of the final states as
        are wanted, or None if the weights have changed."""
        cdef Forward f
        cdef list final = []
        cdef cnp.npy_intp shape[2]
        cdef int state
        if versions(self.variables) != self.version:
            return None
        self.take(&f, x, zero_output, h0 is None, threads)
        if wanted > f.p.cell.states or (f.p.cell.states == 1 and c0 is not None):
            raise ValueError("kernel arguments 'c0', 'wanted': this cell has one state")
        f.h0 = matrix(h0, f.p.N, self.H, "h0")
        f.c0 = matrix(c0, f.p.N, self.H, "c0")
        f.p.y = sequence_out(y, f.p.N, f.p.T, self.H, &f.p.y_n, &f.p.y_t, "y")
        f.p.mask = booleans(mask, f.p.N, f.p.T, &f.p.mask_n, &f.p.mask_t)
        shape[0] = f.p.N
        shape[1] = self.H
        for state in range(wanted):
            final.append(cnp.PyArray_EMPTY(2, shape, REAL_TYPE, 0))
        if wanted > 0:
            f.hT = <real*>cnp.PyArray_DATA(<ndarray>final[0])
        if wanted > 1:
            f.cT = <real*>cnp.PyArray_DATA(<ndarray>final[1])
        self.on_a_tape(&f, threads, (x, mask, h0, c0))
        return final

    cdef int take(self, Forward* f, ndarray x, bint zero_output, bint from_zero, long threads) except -1:
        """What `take_layer` asks for."""
        return take_layer(f, self.cell, self.H, self.activation, self.recurrent_activation, zero_output, False,
                          x, None, self.W, self.U, self.b, self.b_recurrent, self.w, False, from_zero, threads,
                          self.peephole)

    cdef int on_a_tape(self, Forward* f, long threads, object inputs) except -1:
        """The call, on a tape that no other thread has at the moment; inputs: the arrays that it reads."""
        cdef ndarray tape = self.idle.pop() if self.idle else None
        cdef cnp.npy_intp size = f.tape
        if tape is None or cnp.PyArray_DIM(tape, 0) < size:
            tape = cnp.PyArray_EMPTY(1, &size, REAL_TYPE, 0)
        carve(&f.p, <real*>cnp.PyArray_DATA(tape), False)
        run_forward(f, 1, threads, (inputs, self))
        self.idle.append(tape)
        return 0


cdef inline bint has_steps(ndarray x, long D) noexcept:
    """A ready array (N, T, D), none of them 0."""
    return is_ready(x, D) and cnp.PyArray_NDIM(x) == 3 and cnp.PyArray_SIZE(x) > 0


cdef inline long versions(list variables) except -1:
    """Grows with every change of a weight."""
    cdef long version = 0
    for variable in variables:
        version += variable.version
    return version
