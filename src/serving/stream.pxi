# Streams: what a program's operations remember of each slot, and the memory that they work in.
cimport cython

cdef list late_streams = []     # that late threads had in their hands when they went; they are not freed


cdef class Splits:
    """Memory for calls whose units are shared out."""

    cdef Split all[SPLITS]
    cdef ndarray memory
    cdef long room

    def __init__(self, long room):
        cdef int i
        self.memory = buffer(SPLITS * room)
        self.room = room
        for i in range(SPLITS):
            self.all[i].room = room
            self.all[i].tape = <real*>cnp.PyArray_DATA(self.memory) + i * room
            self.all[i].job.unfinished = 0

    cdef bint late(self) noexcept:
        cdef int i
        for i in range(SPLITS):
            if load_acquire(&self.all[i].job.unfinished) != 0:
                return True
        return False


@cython.no_gc_clear         # its arrays are there when it goes
cdef class StreamRunner:
    """Runs a program over time steps of many slots, each of which has states of its own.

    Args:
        program: of a frozen model.
        slots: that it has room for.
        threads: at most.
    """

    cdef StreamMemory m
    cdef Program program
    cdef list arrays            # the states, (slots, ...) each
    cdef ndarray memory, scratch, numbers
    cdef long* stamps           # [slots]: of the last call that named a slot
    cdef long calls
    cdef list errors
    cdef Splits splits          # or None
    cdef list older             # memory that late threads may read
    cdef list pointers          # of bytes: the arrays of pointers in m

    def __init__(self, Program program not None, long slots, long threads):
        cdef int value
        self.program = program
        self.arrays = []
        self.m.operations = program.operations
        self.m.count = program.count
        self.m.values_count = <int>len(program.widths)
        self.m.width = program.widths[0]
        self.m.output_width = program.widths[self.m.values_count - 1]
        self.m.indices = program.indices
        self.m.zero_is_padding = program.zero_is_padding
        self.m.states_count = <int>len(program.states)
        self.m.threads = max(1, threads)
        self.m.values = <real**>self.pointer_room(self.m.values_count)
        self.m.own = <real**>self.pointer_room(self.m.values_count)
        self.m.states = <real**>self.pointer_room(self.m.states_count)
        self.m.state_widths = <long*>self.pointer_room(self.m.states_count)
        if program.count < 1:
            raise ValueError("kernel argument 'program': expected one with operations")
        available(TEAM, self.m.threads, 0)      # starts helpers, which no call does
        self.grow(slots)
        self.reserve(slots, 1)

    def __cinit__(self):
        self.pointers = []
        self.errors = []
        self.older = []
        self.m.errors = <void*>self.errors

    def __dealloc__(self):
        free(self.stamps)
        if self.splits is not None and self.splits.late():
            late_streams.append((self.splits, self.program, self.arrays, self.memory, self.scratch, self.numbers,
                                 self.older))

    cdef int leaves_memory(self) except -1:
        """What is replaced stays while a late thread may read it."""
        if self.splits is None or not self.splits.late():
            self.older = []
        else:
            self.older.append((self.splits, self.arrays, self.memory, self.scratch, self.numbers))
        return 0

    cdef void* pointer_room(self, long count) except NULL:
        cdef cnp.npy_intp size = max(1, count)
        cdef ndarray room = cnp.PyArray_ZEROS(1, &size, cnp.NPY_INT64, 0)
        self.pointers.append(room)
        return cnp.PyArray_DATA(room)

    @property
    def states(self):
        """The states themselves, (slots, ...) each, in the order of the program's; whoever writes to them changes the
        stream."""
        return list(self.arrays)

    @property
    def slots(self):
        """Slots that there is room for."""
        return self.m.slots

    def hold(self):
        """Be inside, for `release` to leave: nobody else steps meanwhile."""
        self.enter()

    def release(self):
        self.leave()

    def reset(self, ndarray slots not None):
        """Set the states of slots, int32 (N,), to zero."""
        cdef long N = extent(slots, 0), n, i
        cdef const int* given
        self.enter()
        try:
            given = self.check_slots(slots, N)
            for i in range(self.m.states_count):
                for n in range(N):
                    memset(self.m.states[i] + given[n] * self.m.state_widths[i], 0, self.m.state_widths[i] * sizeof(real))
        finally:
            self.leave()

    def grow(self, long slots):
        """Have room for so many slots; new ones are at zero."""
        cdef ndarray new, old
        cdef list grown = []
        cdef long* stamps
        cdef int i
        if slots < 1 or slots > MOST_STEPS:
            raise ValueError(f"kernel argument 'slots': expected 1 to {MOST_STEPS}, got {slots}")
        if slots <= self.m.slots:
            return
        self.enter()
        try:
            for i in range(self.m.states_count):
                new = new_state(slots, self.program.states[i][2])
                if self.arrays:
                    old = self.arrays[i]
                    memcpy(cnp.PyArray_DATA(new), cnp.PyArray_DATA(old), cnp.PyArray_SIZE(old) * sizeof(real))
                grown.append(new)
            stamps = <long*>realloc(self.stamps, slots * sizeof(long))
            if stamps == NULL:
                raise MemoryError("fastrnn: no memory for more slots of a stream")
            self.stamps = stamps
            memset(stamps, 0, slots * sizeof(long))
            self.calls = 0
            self.leaves_memory()
            self.arrays = grown
            for i in range(self.m.states_count):
                new = grown[i]
                self.m.states[i] = <real*>cnp.PyArray_DATA(new)
                self.m.state_widths[i] = cnp.PyArray_SIZE(new) // slots
            self.m.slots = slots
        finally:
            self.leave()

    def reserve(self, long N, long T):
        """Have memory for calls of N rows and T steps."""
        cdef long steps = min(T, max(1, FRAME_ROWS // max(1, N))), rows = N * steps, size = 0, work = 0, split = 0, i, width
        cdef Splits splits = self.splits
        cdef const Operation* o
        cdef ndarray memory, scratch, numbers
        cdef real* at
        if N < 0 or T < 0 or N > MOST_STEPS or T > MOST_STEPS:
            raise ValueError("kernel arguments 'N', 'T': expected sizes")
        for i in range(self.m.count):
            o = &self.m.operations[i]
            if o.work != NULL:
                work = max(work, o.work(o, N, steps, self.m.threads))
            if N < SPLIT_ROWS * self.m.threads:
                split = max(split, split_room(o, N, steps, self.m.threads))
        if rows <= self.m.rows and work <= self.m.room and (split == 0 or (splits is not None and split <= splits.room)):
            return
        if split > 0 and (splits is None or split > splits.room):
            splits = Splits(split)
        rows = max(rows, self.m.rows, min(<long>WORK_ROWS, 64 * N))
        for width in self.program.widths:
            size += (width * rows + SLACK) // SLACK * SLACK
        memory = buffer(size)
        scratch = buffer(max(work, self.m.room))
        numbers = flat_numbers(3 * rows)
        self.leaves_memory()
        self.splits = splits
        self.m.splits = NULL if splits is None else splits.all
        self.memory = memory
        self.scratch = scratch
        self.numbers = numbers
        self.m.rows = rows
        self.m.room = max(work, self.m.room)
        self.m.work = aligned(<real*>cnp.PyArray_DATA(scratch))
        self.m.index = <int*>cnp.PyArray_DATA(numbers)
        self.m.lengths = self.m.index + rows
        self.m.mask = <unsigned char*>(self.m.lengths + rows)
        self.m.zeros = self.m.mask + rows
        at = aligned(<real*>cnp.PyArray_DATA(memory))
        for i in range(self.m.values_count):
            self.m.values[i] = self.m.own[i] = at
            width = self.program.widths[i]
            at += (width * rows + SLACK) // SLACK * SLACK

    cdef int enter(self) except -1:
        if not exchange_if(&self.m.busy, 0, 1):
            raise RuntimeError("stream: another thread is inside; give each thread a stream of its own")
        return 0

    cdef int leave(self) except -1:
        store_release(&self.m.busy, 0)
        return 0

    def step(self, x):
        """The output (slots, width) of one time step of every slot; None if x is not ready: float (slots, width),
        contiguous, or int32 (slots,) of indices."""
        cdef cnp.npy_intp shape[2]
        cdef ndarray y
        cdef int failure
        if not cnp.PyArray_CheckExact(x) or self.program.in_python or not self.fits(<ndarray>x):
            return None
        shape[0] = self.m.slots
        shape[1] = self.m.output_width
        y = cnp.PyArray_EMPTY(2, shape, REAL_TYPE, 0)
        self.enter()
        failure = self.call(<ndarray>x, self.m.slots, 1, NULL, NULL, <real*>cnp.PyArray_DATA(y))
        self.leave()
        if failure != NO_FAILURE:
            raise MemoryError("stream: its memory is for fewer rows")
        return y

    def steps(self, x):
        """The same of several time steps of numbers, (slots, time, width); None also if they are many."""
        cdef cnp.npy_intp shape[3]
        cdef ndarray given, y
        if not cnp.PyArray_CheckExact(x) or self.program.in_python or self.m.indices > 0:
            return None
        given = <ndarray>x
        if cnp.PyArray_NDIM(given) != 3 or not is_ready(given, self.m.width) or cnp.PyArray_DIM(given, 0) != self.m.slots \
                or cnp.PyArray_SIZE(given) == 0 or count_rows(given) > FRAME_ROWS:
            return None
        shape[0] = self.m.slots
        shape[1] = cnp.PyArray_DIM(given, 1)
        shape[2] = self.m.output_width
        y = cnp.PyArray_EMPTY(3, shape, REAL_TYPE, 0)
        self.feed(given, y)
        return y

    cdef bint fits(self, ndarray x) except -1:
        if not cnp.PyArray_IS_C_CONTIGUOUS(x) or not cnp.PyArray_ISALIGNED(x) or cnp.PyArray_ISBYTESWAPPED(x) \
                or cnp.PyArray_NDIM(x) < 1 or cnp.PyArray_DIM(x, 0) != self.m.slots:
            return False
        if self.m.indices > 0:
            if cnp.PyArray_TYPE(x) != cnp.NPY_INT32 or cnp.PyArray_NDIM(x) != 1:
                return False
            indices_below(x, self.m.slots, self.m.indices, "x")
            return True
        return cnp.PyArray_TYPE(x) == REAL_TYPE and cnp.PyArray_NDIM(x) == 2 and cnp.PyArray_DIM(x, 1) == self.m.width

    cdef int call(self, ndarray x, long N, long T, const int* slots, const int* lengths, real* y) noexcept:
        cdef int failure
        cdef const real* numbers = NULL
        cdef const int* index = NULL
        if self.m.indices > 0:
            index = <const int*>cnp.PyArray_DATA(x)
        else:
            numbers = <const real*>cnp.PyArray_DATA(x)
        with nogil:
            failure = stream_run(&self.m, numbers, index, N, T, slots, lengths, y)
        return failure

    def feed(self, ndarray x not None, ndarray y not None, ndarray slots=None, ndarray lengths=None):
        """y (N, T, output_width) for x (N, T, width), or for int32 (N, T) of indices, from the states on, which it moves.
        After an error, or an interrupt, they are as they were.

        Args:
            slots: int32 (N,), each once; None for row n in slot n.
            lengths: int32 (N,), from 0 to T; None for T.
        """
        cdef long N = extent(x, 0), T = extent(x, 1), ignored = 0
        cdef real* out
        cdef const int* slots_ = NULL
        cdef const int* lengths_ = NULL
        cdef int failure
        if self.m.indices > 0:
            if not cnp.PyArray_IS_C_CONTIGUOUS(x):
                refuse(x, "x", "contiguous indices")
            table_rows(x, N, T, self.m.indices, &ignored, &ignored, "x")
        elif cnp.PyArray_NDIM(x) != 3:
            refuse(x, "x", f"(rows, steps, {self.m.width})")
        else:
            rows(x, N * T, self.m.width, "x")
        out = elements_out(y, N * T * self.m.output_width, "y")
        self.enter()
        try:
            if slots is not None:
                slots_ = self.check_slots(slots, N)
            elif N > self.m.slots:
                raise ValueError(f"kernel argument 'x': expected at most {self.m.slots} rows, got {N}")
            if lengths is not None:
                lengths_ = check_lengths(lengths, N, T)
            self.reserve(N, T)
            failure = self.call_whole(x, N, T, slots_, lengths_, out)
        finally:
            self.leave()
        if failure == PYTHON_FAILED:
            raise self.errors.pop()
        if failure == NO_ROOM:
            raise MemoryError("stream: its memory is for fewer rows")

    cdef int call_whole(self, ndarray x, long N, long T, const int* slots, const int* lengths, real* y) except -1:
        """In parts between which Ctrl-C is seen; all of it, or the states stay as they were."""
        cdef list before = None
        cdef ndarray old
        cdef int i, failure
        if self.program.in_python or N * T > FRAME_ROWS:
            before = [array.copy() for array in self.arrays]
        self.m.polls = True
        failure = self.call(x, N, T, slots, lengths, y)
        self.m.polls = False
        if failure != NO_FAILURE and before is not None:
            for i in range(self.m.states_count):
                old = before[i]
                memcpy(self.m.states[i], cnp.PyArray_DATA(old), cnp.PyArray_SIZE(old) * sizeof(real))
        return -1 if failure == INTERRUPTED else failure

    cdef const int* check_slots(self, ndarray slots, long N) except NULL:
        """Each is there, and there once."""
        cdef const int* given = integers(slots, N, "slots")
        cdef long n
        self.calls += 1
        for n in range(N):
            if not 0 <= given[n] < self.m.slots:
                raise ValueError(f"kernel argument 'slots': expected 0 to {self.m.slots - 1}, got {given[n]}")
            if self.stamps[given[n]] == self.calls:
                raise ValueError(f"kernel argument 'slots': expected each once, got {given[n]} twice")
            self.stamps[given[n]] = self.calls
        return given


cdef ndarray new_state(long slots, tuple shape):
    """Zeros (slots, *shape)."""
    cdef cnp.npy_intp sizes[MOST_AXES]
    cdef int i
    sizes[0] = slots
    for i in range(len(shape)):
        sizes[i + 1] = shape[i]
    return cnp.PyArray_ZEROS(<int>len(shape) + 1, sizes, REAL_TYPE, 0)


cdef ndarray flat_numbers(long size):
    cdef cnp.npy_intp shape = size
    return cnp.PyArray_ZEROS(1, &shape, cnp.NPY_INT32, 0)


cdef const int* check_lengths(ndarray lengths, long N, long T) except NULL:
    cdef const int* given = integers(lengths, N, "lengths")
    cdef long n
    for n in range(N):
        if not 0 <= given[n] <= T:
            raise ValueError(f"kernel argument 'lengths': expected 0 to {T}, got {given[n]}")
    return given
