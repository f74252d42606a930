# Layers in a row, from one's output to the next one's input, in one call.

cdef class LineRunner(Runner):
    """Runs layers in a row; of none, it gives the input itself.

    Args:
        runners: of the layers, in their order.
        shape: sizes of the input's axes, the batch first, -1 where any size will do; None for any shape.
    """

    cdef list runners
    cdef tuple shape

    def __init__(self, runners not None, tuple shape=None):
        cdef Runner runner
        self.runners = []
        self.shape = shape
        for runner in runners:
            if isinstance(runner, LineRunner):
                self.runners += (<LineRunner>runner).runners
            else:
                self.runners.append(runner)

    cdef ndarray infer(self, ndarray x, long threads):
        cdef Runner runner
        if self.shape is not None and not has_shape(x, self.shape):
            return None
        for runner in self.runners:
            x = runner.infer(x, threads)
            if x is None:
                return None
        return x


cdef bint has_shape(ndarray x, tuple shape) except -1:
    cdef int axis
    cdef long size
    if cnp.PyArray_NDIM(x) != len(shape):
        return False
    for axis in range(cnp.PyArray_NDIM(x)):
        size = shape[axis]
        if size >= 0 and size != cnp.PyArray_DIM(x, axis):
            return False
    return True
