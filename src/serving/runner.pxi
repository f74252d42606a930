# What runs a layer: an object that holds what its kernels must know, so that no call says it anew: weights in the layout of
# the kernels, sizes, activations.

cdef class Packed:
    """A weight in the layout of a kernel; who owns it packs it anew when `changed` says so.

    variable: has the weight as `data`, and a `version` that changes with it; or None, of zeros.
    """

    cdef object variable
    cdef long version
    cdef ndarray source         # the data that was packed
    cdef ndarray memory
    cdef bint packed            # it once was
    cdef real* at               # where in memory the packed weight begins
    cdef long size              # its elements

    def __cinit__(self, variable):
        self.variable = variable
        self.at = NULL

    cdef bint changed(self) except -1:
        """Whether the packed weight is not, or no longer, that of the variable."""
        cdef long version = 0
        if self.variable is not None:
            version = self.variable.version
        return not self.packed or version != self.version

    cdef real* room(self, long size) except NULL:
        """Where to pack the weight, so many elements. Nothing may run between this and `keeps`."""
        self.packed = False
        if self.at == NULL or not cnp.PyArray_ISWRITEABLE(self.memory):
            self.memory = buffer(size)
            self.at = aligned(<real*>cnp.PyArray_DATA(self.memory))
        self.size = size
        return self.at

    cdef int keeps(self, ndarray source, long version) except -1:
        """It is packed."""
        self.source = source
        self.version = version
        self.packed = True
        return 0

    cdef ndarray view(self):
        """The packed weight, read-only."""
        cdef ndarray view = (<object>self.memory)[self.at - <real*>cnp.PyArray_DATA(self.memory):][:self.size]
        view.setflags(write=False)
        return view

    cdef int take(self, ndarray packed, long size) except -1:
        """Read a weight of so many elements where somebody else has packed it."""
        self.at = <real*>packed_at(packed, size)
        self.memory = packed
        self.size = size
        return self.keeps(None if self.variable is None else self.variable.data,
                          0 if self.variable is None else self.variable.version)


cdef ndarray buffer(long size):
    """An array with room for so many elements from the first aligned one on."""
    cdef cnp.npy_intp shape = size + SLACK
    return cnp.PyArray_EMPTY(1, &shape, REAL_TYPE, 0)


cdef const real* packed_at(ndarray packed, long size) except NULL:
    """Where an array of so many packed elements begins; it is only read."""
    cdef const real* at = elements(packed, size, "packed")
    if <size_t>at % 64 != 0:
        refuse(packed, "packed", "one that begins at a multiple of 64 bytes")
    return at


cdef class Runner:
    """Runs a layer in inference: from an array to a new one."""

    def output(self, x, long threads):
        """The output for x, by up to `threads` threads; None if x is no contiguous, aligned, native array of the kernel's
        type and of a shape that fits."""
        if not cnp.PyArray_CheckExact(x):
            return None
        return self.infer(<ndarray>x, threads)

    cdef ndarray infer(self, ndarray x, long threads):
        return None
