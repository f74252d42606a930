# What one call of a recurrent layer is about, and how its buffers are laid out.

ACTIVATIONS = {"linear": LINEAR, "relu": RELU, "sigmoid": SIGMOID, "tanh": TANH, "hard_sigmoid": HARD_SIGMOID}


cdef enum:
    LONG_TAPE = 1 << 24         # bytes of z from which on it leaves the caches before the backward pass comes to it
    APART = 4096 // sizeof(real)    # elements that no prefetch goes beyond: a page

cdef long long_tape = LONG_TAPE if STREAMS else -1          # or -1: none is


def set_long_tape(long size):
    """Have tapes of so many bytes of z, or more, stored past the caches, -1: none; returns what it was. It changes no
    result: it is for tests."""
    global long_tape
    cdef long before = long_tape
    long_tape = size
    return before


cdef long carve(Rnn* p, real* tape, bint dropout) noexcept nogil:
    """Lay h, hu, c, z and the states at hand out on the tape; returns its size in elements (tape may be NULL to ask for that
    alone)."""
    cdef real* start = aligned(tape)
    cdef real* at = start
    cdef long states = p.N * p.HP
    p.h = p.hu = p.c = p.near = NULL
    if p.training:
        p.h = p.hu = at
        at += (p.T + 1) * states
        if dropout:
            p.hu = at
            at += (p.T + 1) * states
        if p.cell.states == 2:
            p.c = at
            at += (p.T + 1) * states
    p.z = at                # last, as the backward pass does not know how many slots a SimpleRNN's has
    at += p.z_slots * p.N * p.J
    if p.regions > 0 and (p.long_tape or not p.training):
        p.near = at
        p.near_slots = (4 if dropout else 2) + (1 if p.cell.states == 2 else 0)
        at += regions_size(p, p.near_slots, p.regions)
    return (at - start) + SLACK


cdef Rnn problem(const Cell* cell, long N, long T, long D, long H, int activation, int recurrent_activation,
                 bint zero_output, bint training, long chunk) noexcept nogil:
    cdef Rnn p
    p.cell = cell
    p.N = N
    p.T = T
    p.D = D
    p.H = H
    p.G = cell.gates
    p.P = (H + VL - 1) // VL
    p.HP = p.P * VL
    p.J = p.HP * cell.blocks + SLACK        # rows a power of two apart would share cache sets
    p.activation = activation
    p.recurrent_activation = recurrent_activation
    p.zero_output = zero_output
    p.training = training
    p.from_zero = False
    p.regions = 0
    p.long_tape = training and 0 <= long_tape <= T * N * p.J * <long>sizeof(real)
    p.z_slots = chunk
    if cell.phases > 1:         # what one leaves for the next
        p.z_slots = max(1, chunk)
    if training and cell.keeps_gates:
        p.z_slots = max(1, T)
    p.dz_slots = 1
    p.x = p.W = p.U = p.b = p.b_recurrent = p.peephole = p.x_drop = p.h_drop = p.dy = p.WT = p.UT = NULL
    p.near = p.y = p.dz = p.dx = p.dh = p.du = p.dc = p.dpeephole = NULL
    p.mask = NULL
    p.watch = NULL
    p.index = p.slots = NULL
    p.folded = NULL
    p.index_n = p.index_t = 0
    p.x_n = p.x_t = p.y_n = p.y_t = p.dy_n = p.dy_t = p.dx_n = p.dx_t = p.mask_n = p.mask_t = 0
    return p


cdef long steps_ahead(const Plan* how, bint blas, long N, long T) noexcept nogil:
    """Steps whose input is projected before them, 0 if each step does it."""
    if blas:
        return blas_steps(N, T)
    return 0 if how.fused else how.chunk
