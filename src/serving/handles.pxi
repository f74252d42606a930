# What C holds of a model and of a stream. Handles are structs whose first part fastrnn.h declares; a capsule of each keeps
# the object that the struct is in. All here needs the GIL.
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
        self.runner.older.append(self.kept)     # late threads may read the states

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
