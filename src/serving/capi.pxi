# The C interface: what fastrnn.h declares, for this module's type. Handles are structs whose first part the header
# declares; a capsule of each keeps the object that the struct is in.
from cpython.pycapsule cimport PyCapsule_GetContext, PyCapsule_New, PyCapsule_SetContext
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int32_t, int64_t
from fastrnn.capi cimport *

cdef enum:
    MOST_THREADS = 1024

cdef struct ModelHandle:
    fastrnn_model shown
    void* object            # its CModel

cdef struct StreamHandle:
    fastrnn_stream shown
    StreamMemory* m
    bint gives_steps
    long rows, steps        # at most, of a call
    long* stamps            # [slots]: of the last call that named a slot
    long calls
    # of capi_predict:
    real** states           # its own, each [rows][width]
    Operation* before       # what has to run on the steps before the last one
    int before_count
    int32_t* lengths        # [rows]
    real* last              # [rows][width]: the last step of each row,
    int32_t* last_index     # [rows]: or its index

cdef fastrnn_functions FUNCTIONS


# models and streams, with the GIL -------------------------------------------------------------------------------------

cdef object capsule_of(void* handle, const char* name, owner):
    cdef object capsule = PyCapsule_New(handle, name, forget_owner)
    PyCapsule_SetContext(capsule, <void*>owner)
    Py_INCREF(owner)
    return capsule


cdef void forget_owner(object capsule) noexcept:
    cdef void* owner = PyCapsule_GetContext(capsule)
    if owner != NULL:
        Py_DECREF(<object>owner)


cdef class CModel:
    """A program for C; `model_capsule` makes it."""

    cdef ModelHandle handle
    cdef Program program
    cdef object threads


def model_capsule(Program program not None, bint gives_steps, threads not None):
    """A capsule of a program that needs no Python, as fastrnn.h has it.

    Args:
        program: of a frozen model.
        gives_steps: the model gives an output for each time step; else that of the last one alone.
        threads: a function that gives the threads of a stream that does not say how many.
    """
    cdef CModel made = CModel()
    cdef fastrnn_model* shown = &made.handle.shown
    if program.in_python or program.count < 1:
        raise ValueError("kernel argument 'program': expected one that needs no Python")
    made.program = program
    made.threads = threads
    made.handle.object = <void*>made
    shown.functions = &FUNCTIONS
    shown.output_type = FASTRNN_FLOAT32 if sizeof(real) == 4 else FASTRNN_FLOAT64
    shown.input_type = FASTRNN_INT32 if program.indices > 0 else shown.output_type
    shown.input_width = program.widths[0]
    shown.output_width = program.widths[len(program.widths) - 1]
    shown.indices = program.indices
    shown.gives_steps = gives_steps
    return capsule_of(shown, "fastrnn.model", made)


def layers_in_python(Program program not None):
    """What a program runs in Python, as `Program.python` was given it."""
    return [<object>program.operations[i].layer for i in range(program.count) if program.operations[i].layer != NULL]


cdef class CStream:
    """A stream for C, with all memory that its calls need."""

    cdef StreamHandle handle
    cdef StreamRunner runner
    cdef list kept              # what the handle points into

    def __init__(self, CModel model not None, long slots, long rows, long steps, long threads):
        cdef StreamHandle* h = &self.handle
        cdef long N, T
        cdef int i
        self.kept = []
        self.runner = StreamRunner(model.program, slots, threads)
        self.runner.reserve(rows, steps)
        for N in range(rows, 0, -1):    # fewer rows or steps may need more than these do
            for T in range(min(steps, max(1, FRAME_ROWS // N)), 0, -1):
                self.runner.reserve(N, T)
        h.shown.functions = &FUNCTIONS
        h.m = &self.runner.m
        h.gives_steps = model.handle.shown.gives_steps
        h.rows = rows
        h.steps = steps
        h.stamps = <long*>self.room(slots * sizeof(long))
        h.lengths = <int32_t*>self.room(rows * sizeof(int32_t))
        h.last_index = <int32_t*>self.room(rows * sizeof(int32_t))
        h.last = <real*>self.room(rows * h.m.width * sizeof(real))
        h.states = <real**>self.room(h.m.states_count * sizeof(real*))
        for i in range(h.m.states_count):
            h.states[i] = <real*>self.room(rows * h.m.state_widths[i] * sizeof(real))
        h.before = <Operation*>self.room(h.m.count * sizeof(Operation))
        h.before_count = operations_before(h.m, h.before)

    cdef void* room(self, size_t size) except NULL:
        """So many bytes of zeros."""
        cdef cnp.npy_intp count = size // 8 + 1
        cdef ndarray made = cnp.PyArray_ZEROS(1, &count, cnp.NPY_INT64, 0)
        self.kept.append(made)
        return cnp.PyArray_DATA(made)


cdef int operations_before(const StreamMemory* m, Operation* found) except -1:
    """Find the operations that later steps depend on, in their order: those with states, and what these read."""
    cdef list read = [False] * m.values_count, needed = []
    cdef const Operation* o
    cdef int i, j, states = m.states_count      # of the operations before the next one
    for i in range(m.count - 1, -1, -1):
        o = &m.operations[i]
        if o.state < states or read[o.y]:
            needed.append(i)
            for j in range(o.inputs):
                read[o.x[j]] = True
        states = o.state
    for j, i in enumerate(reversed(needed)):
        found[j] = m.operations[i]
    return <int>len(needed)


cdef object capi_new(fastrnn_model* model, int64_t slots, int64_t rows, int64_t steps, int64_t threads):
    cdef CModel owner = <CModel>(<ModelHandle*>model).object
    cdef CStream made
    if threads == 0:
        threads = owner.threads()
    for name, value, most in (("slots", slots, MOST_STEPS), ("rows", rows, MOST_STEPS), ("steps", steps, MOST_STEPS),
                              ("threads", threads, MOST_THREADS)):
        if not 1 <= value <= most:
            raise ValueError(f"fastrnn_stream_new {name}: expected 1 to {most}, got {value}")
    made = CStream(owner, slots, rows, steps, threads)
    return capsule_of(&made.handle, "fastrnn.stream", made)


# calls, without the GIL -----------------------------------------------------------------------------------------------

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
