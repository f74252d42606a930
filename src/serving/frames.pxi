# All operations of a stream on some time steps of some rows, a few at a time: what a call in Python or C comes down to.

cdef enum:
    FRAME_ROWS = 2048       # rows times steps that go through all operations at a time: what lies between them stays in cache
    WORK_ROWS = 1024        # as many are reserved for at least
    SPLIT_ROWS = 8          # for each thread, from which on `plan` shares no units out


cdef struct StreamMemory:
    # all that a call works with, none of which it allocates
    const Operation* operations
    int count
    int values_count
    long width              # of the input
    long output_width
    long indices            # see Program
    bint zero_is_padding
    long threads
    long slots              # room in the states
    long rows               # room in the values: rows times steps
    real** values
    real** own              # where each value has its room
    real** states
    long* state_widths
    int states_count
    real* work
    long room
    void* errors            # see Frames
    Split* splits
    int* index              # [rows]
    int* lengths            # [rows]
    unsigned char* mask     # [rows]
    unsigned char* zeros    # [rows]
    bint polls              # for Python's signals, if it takes long
    long busy               # somebody is inside


cdef int stream_run(StreamMemory* m, const real* x, const int* index, long N, long T, const int* slots, const int* lengths,
                    real* y) noexcept nogil:
    """N rows, T steps of each: y (N, T, output_width) for x (N, T, width), or for index (N, T). Not by two threads at once.

    slots: (N,), where the states of each row are, or NULL: row n's in slot n.
    lengths: (N,), steps of each row, or NULL: T. What is beyond gets zeros.
    """
    cdef Frames f
    cdef long t = 0, chunk = max(1, FRAME_ROWS // max(1, N)), steps, n
    cdef Watch watch
    cdef int failure, output = m.values_count - 1
    cdef bint whole = T <= chunk or N == 1
    cdef bint own = not whole or (m.splits != NULL and N < SPLIT_ROWS * m.threads)     # late threads read no memory of the caller's
    f.N = N
    f.threads = m.threads
    f.slots = slots
    f.values = m.values
    f.states = m.states
    f.work = m.work
    f.room = m.room
    f.errors = m.errors
    f.splits = m.splits
    f.watch = NULL
    if m.polls:
        start_watch(&watch)
        f.watch = &watch
    while t < T:
        steps = min(chunk, T - t)
        if N * steps > m.rows:
            return NO_ROOM
        f.T = steps
        f.index = NULL
        f.lengths = NULL
        f.mask = f.zeros = NULL
        if lengths != NULL:
            frame_lengths(m, &f, lengths, t)
        if index != NULL:
            f.index = index + t
            if own:
                for n in range(N):
                    memcpy(m.index + n * steps, index + n * T + t, steps * sizeof(int))
                f.index = m.index
        elif not own:
            m.values[0] = <real*>x + t * m.width
        else:
            m.values[0] = m.own[0]
            for n in range(N):
                memcpy(m.values[0] + n * steps * m.width, x + (n * T + t) * m.width, steps * m.width * sizeof(real))
        m.values[output] = y + t * m.output_width if whole else m.own[output]
        if m.zero_is_padding:
            leave_zeros_out(m, &f)
        failure = operate(m, &f)
        if failure != NO_FAILURE:
            return failure
        for n in range(N):
            if not whole:
                memcpy(y + (n * T + t) * m.output_width, m.values[output] + n * steps * m.output_width,
                       steps * m.output_width * sizeof(real))
            if lengths != NULL and lengths[n] < t + steps:
                memset(y + (n * T + max(t, lengths[n])) * m.output_width, 0,
                       (t + steps - max(t, lengths[n])) * m.output_width * sizeof(real))
        t += steps
        if t < T and ends(f.watch):
            return INTERRUPTED
    return NO_FAILURE


cdef inline int operate(const StreamMemory* m, const Frames* f) noexcept nogil:
    cdef int i, failure
    for i in range(m.count):
        failure = m.operations[i].run(&m.operations[i], f)
        if failure != NO_FAILURE:
            return failure
    return NO_FAILURE


cdef void frame_lengths(StreamMemory* m, Frames* f, const int* lengths, long t0) noexcept nogil:
    """Of so many steps from t0 on, those that each row has."""
    cdef long n, t
    for n in range(f.N):
        m.lengths[n] = <int>max(0, min(f.T, lengths[n] - t0))
        for t in range(f.T):
            m.mask[n * f.T + t] = t < m.lengths[n]
    f.lengths = m.lengths
    f.mask = f.zeros = m.mask


cdef void leave_zeros_out(StreamMemory* m, Frames* f) noexcept nogil:
    """Index 0 is padding, too."""
    cdef long i
    for i in range(f.N * f.T):
        m.zeros[i] = f.index[i] != 0 and (f.mask == NULL or f.mask[i])
    f.zeros = m.zeros
