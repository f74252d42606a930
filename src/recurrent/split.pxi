# Inference of one layer with units split over threads, which meet after each step. Its work can be done over: so the caller
# leaves a late thread behind and begins again alone, and the late thread keeps what it has in its hands.

cdef class Lent:
    """What the threads of such a call share, lent to them: nobody else touches it before all of them have ended. It holds
    the states; x and the weights are only read, and the output is the caller's business."""

    cdef Forward f
    cdef Job job
    cdef Watch watch
    cdef ndarray tape
    cdef ndarray index          # a copy: the caller's may name other rows, unchecked ones, when a late thread reads it
    cdef object arrays          # that f points into

cdef list idle_lents = []
cdef list late_lents = []       # left behind; they are not freed when Python ends


cdef Lent borrow(long size):
    """One with a tape of so many elements that no thread has in its hands."""
    cdef Lent lent
    cdef list ended = [late for late in late_lents if load_acquire(&(<Lent>late).job.unfinished) == 0]
    cdef cnp.npy_intp shape = size
    for lent in ended:
        late_lents.remove(lent)
    for lent in ended:          # after that: what an array belongs to may run anything when it goes
        give_back(lent)
    lent = idle_lents.pop() if idle_lents else Lent.__new__(Lent)
    if lent.tape is None or cnp.PyArray_DIM(lent.tape, 0) < size:
        lent.tape = cnp.PyArray_EMPTY(1, &shape, REAL_TYPE, 0)
    return lent


cdef int give_back(Lent lent) except -1:
    lent.arrays = lent.index = None
    idle_lents.append(lent)
    return 0


cdef int copy_index(Lent lent) except -1:
    cdef Rnn* p = &lent.f.p
    cdef cnp.npy_intp shape[2]
    cdef int* rows
    cdef long n, t
    shape[0] = p.N
    shape[1] = p.T
    lent.index = cnp.PyArray_EMPTY(2, shape, cnp.NPY_INT32, 0)
    rows = <int*>cnp.PyArray_DATA(lent.index)
    for n in range(p.N):
        for t in range(p.T):
            rows[n * p.T + t] = p.index[n * p.index_n + t * p.index_t]
    p.index = rows
    p.index_n = p.T
    p.index_t = 1
    return 0


cdef int run_split(Forward* f, long long work, object arrays) except -1:
    """A call that is planned for split units, to its end; arrays: what keeps those that f points into."""
    cdef Lent lent = borrow(f.tape)
    cdef bint whole
    lent.arrays = arrays
    lent.f = f[0]
    lent.f.may_leave = True
    lent.watch = f.p.watch[0]
    lent.f.p.watch = &lent.watch
    lent.f.barrier.ends = &lent.watch.ended
    if f.p.index != NULL:
        copy_index(lent)
    carve(&lent.f.p, <real*>cnp.PyArray_DATA(lent.tape), f.p.h_drop != NULL)
    try:
        with nogil:
            whole = share_out(TEAM, &lent.job, forward_part, &lent.f, f.how.team, True, work, True)
            if lent.f.barrier.left and not lent.watch.ended:
                forward_part(f, 0, 1)
        finish_watch(&lent.watch)
        return finish_watch(f.p.watch)
    finally:
        if whole:
            give_back(lent)
        else:
            late_lents.append(lent)
