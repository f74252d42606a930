# The functions that fastrnn.h calls, for this module's type. But for `capi_new` they need no GIL, and allocate nothing.

cdef inline bint capi_enter(StreamHandle* h) noexcept nogil:
    return exchange_if(&h.m.busy, 0, 1)


cdef inline int capi_leave(StreamHandle* h, int code) noexcept nogil:
    store_release(&h.m.busy, 0)
    return code


cdef int capi_close(fastrnn_stream* stream) noexcept nogil:
    """Nobody enters again."""
    return FASTRNN_OK if capi_enter(<StreamHandle*>stream) else FASTRNN_BUSY


cdef int capi_step(fastrnn_stream* stream, int64_t N, const int32_t* slots, const void* x, void* y) noexcept nogil:
    return capi_feed(stream, N, 1, slots, NULL, x, y)


cdef int capi_feed(fastrnn_stream* stream, int64_t N, int64_t T, const int32_t* slots, const int32_t* lengths,
                   const void* x, void* y) noexcept nogil:
    cdef StreamHandle* h = <StreamHandle*>stream
    cdef int code = refused_sizes(h, N, T, x, y)
    if code != FASTRNN_OK or N == 0 or T == 0:
        return code
    if not capi_enter(h):
        return FASTRNN_BUSY
    code = refused_slots(h, N, slots)
    if code == FASTRNN_OK:
        code = refused_lengths(N, T, 0, lengths)
    if code == FASTRNN_OK:
        code = refused_indices(h, N * T, x)
    if code == FASTRNN_OK:
        code = capi_run(h.m, x, N, T, slots, lengths, <real*>y)
    return capi_leave(h, code)


cdef int capi_predict(fastrnn_stream* stream, int64_t N, int64_t T, const int32_t* lengths, const void* x,
                      void* y) noexcept nogil:
    cdef StreamHandle* h = <StreamHandle*>stream
    cdef int code = refused_sizes(h, N, T, x, y), i
    cdef StreamMemory m
    if code == FASTRNN_OK and T == 0 and not h.gives_steps:
        code = FASTRNN_STEPS
    if code != FASTRNN_OK or N == 0 or T == 0:
        return code
    if not capi_enter(h):
        return FASTRNN_BUSY
    code = refused_lengths(N, T, 0 if h.gives_steps else 1, lengths)
    if code == FASTRNN_OK:
        code = refused_indices(h, N * T, x)
    if code == FASTRNN_OK:
        m = h.m[0]
        m.states = h.states
        for i in range(m.states_count):
            memset(m.states[i], 0, N * m.state_widths[i] * sizeof(real))
        if h.gives_steps:
            code = capi_run(&m, x, N, T, NULL, lengths, <real*>y)
        else:
            code = predict_last(h, &m, N, T, lengths, <const char*>x, <real*>y)
    return capi_leave(h, code)


cdef int predict_last(StreamHandle* h, StreamMemory* m, long N, long T, const int32_t* lengths, const char* x,
                      real* y) noexcept nogil:
    """y (N, output_width) of the last step of each row. On those before it, only what the states depend on runs."""
    cdef StreamMemory before = m[0]
    cdef long n, size = <long>sizeof(int) if m.indices > 0 else m.width * <long>sizeof(real)
    cdef char* last = <char*>h.last_index if m.indices > 0 else <char*>h.last
    cdef int code = FASTRNN_OK
    for n in range(N):
        h.lengths[n] = <int32_t>((T if lengths == NULL else lengths[n]) - 1)
        memcpy(last + n * size, x + (n * T + h.lengths[n]) * size, size)
    before.operations = h.before
    before.count = h.before_count
    before.output_width = 0         # what comes goes to the output's own room, chunk after chunk
    if N == 1:
        code = capi_run(&before, x, 1, h.lengths[0], NULL, NULL, m.own[m.values_count - 1])
    elif T > 1:
        code = capi_run(&before, x, N, T, NULL, h.lengths, m.own[m.values_count - 1])
    if code == FASTRNN_OK:
        code = capi_run(m, last, N, 1, NULL, NULL, y)
    return code


cdef inline int capi_run(StreamMemory* m, const void* x, long N, long T, const int32_t* slots, const int32_t* lengths,
                         real* y) noexcept nogil:
    """All that it could want is room, of which there is enough for what was not refused."""
    cdef const real* numbers = NULL
    cdef const int* index = NULL
    if m.indices > 0:
        index = <const int*>x
    else:
        numbers = <const real*>x
    if stream_run(m, numbers, index, N, T, <const int*>slots, <const int*>lengths, y) != NO_FAILURE:
        return FASTRNN_MEMORY
    return FASTRNN_OK


cdef int capi_reset(fastrnn_stream* stream, int64_t N, const int32_t* slots) noexcept nogil:
    cdef StreamHandle* h = <StreamHandle*>stream
    cdef long i, n, width
    cdef int code
    if slots == NULL:
        N = h.m.slots
    elif N < 0 or N > h.m.slots:
        return FASTRNN_ROWS
    if not capi_enter(h):
        return FASTRNN_BUSY
    code = refused_slots(h, N, slots)
    if code == FASTRNN_OK:
        for i in range(h.m.states_count):
            width = h.m.state_widths[i]
            for n in range(N):
                memset(h.m.states[i] + (n if slots == NULL else slots[n]) * width, 0, width * sizeof(real))
    return capi_leave(h, code)


# what is refused, before anything is written --------------------------------------------------------------------------

cdef inline int refused_sizes(const StreamHandle* h, int64_t N, int64_t T, const void* x, const void* y) noexcept nogil:
    if N < 0 or N > h.rows:
        return FASTRNN_ROWS
    if T < 0 or T > h.steps:
        return FASTRNN_STEPS
    if (x == NULL or y == NULL) and N > 0 and T > 0:
        return FASTRNN_NULL
    return FASTRNN_OK


cdef inline int refused_slots(StreamHandle* h, long N, const int32_t* slots) noexcept nogil:
    cdef long n
    if slots == NULL:
        return FASTRNN_ROWS if N > h.m.slots else FASTRNN_OK
    h.calls += 1
    for n in range(N):
        if not 0 <= slots[n] < h.m.slots:
            return FASTRNN_SLOT
        if h.stamps[slots[n]] == h.calls:
            return FASTRNN_SLOT_TWICE
        h.stamps[slots[n]] = h.calls
    return FASTRNN_OK


cdef inline int refused_lengths(long N, long T, long least, const int32_t* lengths) noexcept nogil:
    cdef long n
    if lengths != NULL:
        for n in range(N):
            if not least <= lengths[n] <= T:
                return FASTRNN_LENGTH
    return FASTRNN_OK


cdef inline int refused_indices(const StreamHandle* h, long count, const void* x) noexcept nogil:
    cdef const int32_t* index = <const int32_t*>x
    cdef long i
    if h.m.indices > 0:
        for i in range(count):
            if not 0 <= index[i] < h.m.indices:
                return FASTRNN_INDEX
    return FASTRNN_OK


FUNCTIONS.version = FASTRNN_VERSION
FUNCTIONS.size = sizeof(fastrnn_functions)
FUNCTIONS.stream_new = capi_new
FUNCTIONS.stream_close = capi_close
FUNCTIONS.step = capi_step
FUNCTIONS.feed = capi_feed
FUNCTIONS.predict = capi_predict
FUNCTIONS.reset = capi_reset
#: What fastrnn.h calls, in a capsule.
stream_api = PyCapsule_New(&FUNCTIONS, "fastrnn.capi.stream_api", NULL)
