# How Ctrl-C ends a long call. Python runs handlers of signals on its main thread alone, and that thread is in a kernel. So,
# if a call takes long, the kernel's loops look at the clock now and then, and have Python run what is due: where a handler
# raises an error, all threads of the call end, and the call raises it. Before SIGNAL_NS have passed, the GIL is not taken.
cdef extern from "Python.h":
    int PyErr_CheckSignals()        # declared without an error, which stays set until the call is over

cdef enum:
    SIGNAL_NS = 100000000     # from one look at Python's signals to the next
    LOOK_WORK = 1 << 20     # multiply-adds of a thread from one look at the clock to the next: a fraction of a millisecond

cdef struct Watch:
    # one call's; all of its threads have it
    long ended              # a handler has raised an error
    unsigned long thread    # that Python runs handlers on, if it makes this call, else 0
    long long next          # when signals are looked for; 0 before the first look at the clock
    uint64_t mode           # the caller's floating-point mode, in which handlers run


cdef inline void start_watch(Watch* w) noexcept nogil:
    w.ended = 0
    w.thread = PyThread_get_thread_ident()
    if w.thread != TEAM.main_thread:
        w.thread = 0
    w.next = 0
    w.mode = denormals_state()


cdef inline long steps_between_looks(long long work, long team) noexcept nogil:
    """Steps of so many multiply-adds, shared by a team, after which a thread looks up."""
    return <long>max(1, min(LOOK_WORK, LOOK_WORK * team // max(1, work)))


cdef inline bint ends(Watch* w) noexcept nogil:
    """Whether the call is over before its end, of NULL never. Threads that meet learn it where they meet: see meets."""
    if w == NULL:
        return False
    if load_acquire(&w.ended):
        return True
    if w.thread != PyThread_get_thread_ident():
        return False
    if w.next == 0:
        w.next = clock_ns() + SIGNAL_NS
    elif clock_ns() >= w.next:
        run_handlers(w)
    return w.ended != 0


cdef void run_handlers(Watch* w) noexcept nogil:
    cdef uint64_t inside = denormals_off()
    denormals_restore(w.mode)
    with gil:
        if PyErr_CheckSignals() != 0:
            store_release(&w.ended, 1)
    w.next = clock_ns() + SIGNAL_NS
    denormals_restore(inside)


cdef inline int finish_watch(const Watch* w) except -1:
    """Raise what a handler has raised."""
    return -1 if w.ended else 0
