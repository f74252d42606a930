# What a stream's layers do to some time steps of some rows: one operation a layer, over numbered values. None needs the GIL
# (but for a layer that only Python has), and none allocates: all memory is the stream's.

cdef enum:
    MOST_INPUTS = 8         # values that one operation reads

cdef enum Failure:
    NO_FAILURE = 0
    PYTHON_FAILED = 1       # a layer in Python raised; the error is in the stream's list
    NO_ROOM = 2             # the stream's memory is for fewer rows
    INTERRUPTED = 3         # a signal's handler raised; the error is set in its thread

cdef enum:
    SPLITS = 4              # calls that a late thread may have in its hands; a stream that has none left works alone

cdef struct Split:
    # what threads share that share the units of a call, see recurrent/split.pxi; nobody touches it before all have ended
    Forward f
    Job job
    Watch watch
    real* tape              # of `room` elements
    long room

cdef struct Frames:
    # some time steps of some rows
    long N, T
    long threads
    const int* slots            # (N,) where the states of each row are, or NULL: row n's in slot n
    const int* lengths          # (N,) steps of each row, the others are padding; or NULL: T
    const unsigned char* mask   # (N, T) the same, 0 where it is padding; or NULL
    const unsigned char* zeros  # (N, T) the same where index 0 is padding, too; or NULL
    const int* index            # (N, T) the input, where that is indices
    real** values               # each [N][T][width]
    real** states               # each [slot][width]
    real* work                  # scratch, aligned
    long room                   # its elements
    void* errors                # a list of Python's, for those that layers in Python raise
    Split* splits               # [SPLITS], or NULL: no layer's units are shared out
    Watch* watch                # the call's, or NULL

ctypedef int (*Operate)(const Operation*, const Frames*) noexcept nogil
ctypedef long (*Work)(const Operation*, long N, long T, long threads) noexcept nogil

cdef struct Operation:
    Operate run
    Work work               # elements of scratch that it needs, NULL for none
    int inputs              # values that it reads
    int x[MOST_INPUTS]
    int y                   # and the one that it writes
    int state               # the first of its states
    long D[MOST_INPUTS]     # widths of the inputs,
    long O                  # and of the output
    const Cell* cell
    int activation, recurrent_activation
    bint softmax, centered, pointwise
    bint masked             # it sees the mask that an Embedding makes of index 0
    int merge
    const real* W           # packed, as the layer's runner has them
    const real* U
    const real* b
    const real* peephole
    const real* folded      # [V][J], see RecurrentRunner.fold
    const real* scale       # (O,) or NULL
    const real* shift
    const real* table       # (V, O)
    real epsilon
    long taps, step         # of a causal convolution, and time steps from tap to tap
    void* layer             # what Python has of the layer; a reference is the program's


cdef inline long frame_rows(const Frames* f) noexcept nogil:
    return f.N * f.T


cdef inline long threads_for(const Frames* f, long long work, long most) noexcept nogil:
    """Threads for parts that need nothing of each other."""
    if work < SMALL_WORK or f.threads < 2 or most < 2:
        return 1
    return threads_at_hand(TEAM, min(f.threads, most), work)


# layers of one time step ----------------------------------------------------------------------------------------------

cdef int dense_frames(const Operation* o, const Frames* k) noexcept nogil:
    cdef DenseForward f
    cdef Softmax s
    cdef long M = frame_rows(k)
    f.x = k.values[o.x[0]]
    f.W = o.W
    f.b = o.b
    f.w = NULL
    f.activation = LINEAR if o.softmax else o.activation
    f.y = k.values[o.y]
    f.M = M
    f.K = o.D[0]
    f.O = o.O
    run_parts(dense_forward_part, &f, threads_for(k, M * f.K * f.O, (M + MR - 1) // MR), False, M * f.K * f.O)
    if o.softmax:
        s.z = s.out = f.y
        s.M = M
        s.C = o.O
        run_parts(softmax_part, &s, threads_for(k, M * o.O * 10, M), False, M * o.O * 10)
    return NO_FAILURE


cdef int embedding_frames(const Operation* o, const Frames* k) noexcept nogil:
    gather_share(o.table, o.O, k.index, NULL, 1, k.values[o.y], 0, frame_rows(k))
    return NO_FAILURE


cdef int activation_frames(const Operation* o, const Frames* k) noexcept nogil:
    cdef long size = frame_rows(k) * o.O
    memcpy(k.values[o.y], k.values[o.x[0]], size * sizeof(real))
    if o.softmax:
        softmax_share(k.values[o.y], k.values[o.y], o.O, 0, frame_rows(k))
    else:
        activate_block(o.activation, k.values[o.y], size, 1, size)
    return NO_FAILURE


cdef int normalization_frames(const Operation* o, const Frames* k) noexcept nogil:
    cdef Normalization r
    r.x = k.values[o.x[0]]
    r.y = k.values[o.y]
    r.M = frame_rows(k)
    r.C = o.O
    r.scale = o.scale
    r.shift = o.shift
    r.epsilon = o.epsilon
    r.centered = o.centered
    if o.pointwise:
        affine_share(&r, 0, r.M)
    else:
        normalize_share(&r, 0, r.M)
    return NO_FAILURE


cdef enum Merge:
    ADD = 0
    SUBTRACT = 1
    MULTIPLY = 2
    MAXIMUM = 3
    MINIMUM = 4
    AVERAGE = 5
    CONCATENATE = 6

MERGES = {"Add": ADD, "Subtract": SUBTRACT, "Multiply": MULTIPLY, "Maximum": MAXIMUM, "Minimum": MINIMUM,
          "Average": AVERAGE, "Concatenate": CONCATENATE}


cdef inline real merged(int kind, real a, real b) noexcept nogil:
    if kind == SUBTRACT:
        return a - b
    if kind == MULTIPLY:
        return a * b
    if kind == MAXIMUM:
        return a if a >= b or a != a else b
    if kind == MINIMUM:
        return a if a <= b or a != a else b
    return a + b


cdef int merge_frames(const Operation* o, const Frames* k) noexcept nogil:
    cdef long i, j, m, at = 0, size = frame_rows(k) * o.O
    cdef real* y = k.values[o.y]
    cdef const real* x
    cdef int merge = o.merge
    for i in range(o.inputs):
        x = k.values[o.x[i]]
        if merge == CONCATENATE:
            for m in range(frame_rows(k)):
                memcpy(y + m * o.O + at, x + m * o.D[i], o.D[i] * sizeof(real))
            at += o.D[i]
        elif i == 0:
            memcpy(y, x, size * sizeof(real))
        else:
            for j in range(size):
                y[j] = merged(merge, y[j], x[j])
    if merge == AVERAGE:
        for j in range(size):
            y[j] = y[j] / o.inputs
    return NO_FAILURE


# a causal convolution -------------------------------------------------------------------------------------------------

cdef inline long reach(const Operation* o) noexcept nogil:
    """Steps before the present one that a window goes back to."""
    return (o.taps - 1) * o.step


cdef long convolution_work(const Operation* o, long N, long T, long threads) noexcept nogil:
    return (reach(o) + T) * o.D[0] + SLACK


cdef int convolution_frames(const Operation* o, const Frames* k) noexcept nogil:
    """Of each row: what its state remembers, then its new steps, and the windows over both; the last of them stay."""
    cdef long back = reach(o), D = o.D[0], n, t, column = o.taps * D * VL, T
    cdef real* past
    cdef const real* a[ROW_BLOCK]
    cdef real* out[ROW_BLOCK]
    cdef Convolution p
    cdef Taps taps
    cdef uint64_t state = denormals_off()
    p.Y = o.O
    p.activation = o.activation
    taps.down = 1
    taps.across = o.taps
    taps.length = D
    taps.a_down = taps.b_down = 0
    taps.a_across = o.step * D
    taps.b_across = D * VL
    if o.step == 1:
        taps.length *= taps.across
        taps.across = 1
    for n in range(k.N):
        past = k.states[o.state] + (n if k.slots == NULL else k.slots[n]) * back * D
        T = k.T if k.lengths == NULL else k.lengths[n]
        memcpy(k.work, past, back * D * sizeof(real))
        memcpy(k.work + back * D, k.values[o.x[0]] + n * k.T * D, T * D * sizeof(real))
        t = 0
        while t < T:
            taps_from(o, k, &p, &taps, column, n, t, min(t + ROW_BLOCK, T), a, out)
            t += ROW_BLOCK
        memcpy(past, k.work + T * D, back * D * sizeof(real))
        memset(k.values[o.y] + (n * k.T + T) * o.O, 0, (k.T - T) * o.O * sizeof(real))
    denormals_restore(state)
    return NO_FAILURE


cdef void taps_from(const Operation* o, const Frames* k, const Convolution* p, const Taps* taps, long column, long n, long t,
                    long t1, const real** a, real** out) noexcept nogil:
    """Outputs of row n, steps t to t1, at most ROW_BLOCK of them."""
    cdef long i
    for i in range(t1 - t):
        a[i] = k.work + (t + i) * o.D[0]
        out[i] = k.values[o.y] + (n * k.T + t + i) * o.O
    window_block(p, t1 - t, a, taps, o.W, column, o.b, out)


# a layer that only Python has -----------------------------------------------------------------------------------------

cdef int python_frames(const Operation* o, const Frames* k) noexcept nogil:
    cdef int failed
    with gil:
        failed = run_in_python(o, k)
    return failed


cdef int run_in_python(const Operation* o, const Frames* k) noexcept:
    cdef ndarray y
    try:
        y = (<object>o.layer)(*[frames_array(k, o.x[i], o.D[i]) for i in range(o.inputs)])
        memcpy(k.values[o.y], elements(y, frame_rows(k) * o.O, "y"), frame_rows(k) * o.O * sizeof(real))
    except BaseException as error:
        (<list>k.errors).append(error)
        return PYTHON_FAILED
    return NO_FAILURE


cdef ndarray frames_array(const Frames* k, int value, long width):
    """A copy of a value, (N, T, width): whoever is given it may keep it."""
    cdef cnp.npy_intp shape[3]
    cdef ndarray x
    shape[0] = k.N
    shape[1] = k.T
    shape[2] = width
    x = cnp.PyArray_EMPTY(3, shape, REAL_TYPE, 0)
    memcpy(cnp.PyArray_DATA(x), k.values[value], frame_rows(k) * width * sizeof(real))
    return x
