# Which inputs each output of a convolution or a pooling is made of, along one axis.

cdef enum:
    MOST_TAPS = 1 << 24     # of a window
    MOST_STEPS = 1 << 30    # along an axis: products of two numbers up to this are far from what a long holds


cdef struct Axis:
    # Output o is made of count[o] inputs, first[o] and every `step`th after it, and of as many taps, tap[o] and those after it.
    # What padding would add is left out: no input is copied, and no zero multiplied.
    long inputs, outputs, step
    long* first
    long* tap
    long* count
    long* order             # the outputs, those of the same taps one after another: a run
    long* ends              # where each run ends in `order`
    long runs


cdef class Windows:
    """Windows along one axis, and the way back: which outputs each input is in.

    Args:
        inputs, outputs: lengths of the axis.
        taps: inputs of a window.
        stride: inputs from window to window.
        dilation: inputs from tap to tap; 1 where the stride is larger.
        before: inputs that the first window begins before the first one.
    """

    cdef Axis forward, back
    cdef ndarray memory
    cdef long taps
    cdef long* place            # of each tap on the way back: a window of that has every stride'th one, from the last on

    def __init__(self, long inputs, long outputs, long taps, long stride, long dilation, long before):
        cdef cnp.npy_intp size
        cdef long o, k, low, residue, remaining
        cdef long* p
        if min(inputs, outputs, before) < 0 or min(taps, stride, dilation) < 1 or (stride > 1 and dilation > 1) \
                or max(inputs, outputs, before, stride, dilation) > MOST_STEPS or taps > MOST_TAPS:
            raise ValueError("kernel argument 'windows': expected sizes of windows, and a stride or a dilation of 1")
        size = 5 * (inputs + outputs) + 2 * taps
        self.memory = cnp.PyArray_EMPTY(1, &size, cnp.NPY_LONG, 0)
        p = <long*>cnp.PyArray_DATA(self.memory)
        p = lay_out(&self.forward, inputs, outputs, dilation, p)
        p = lay_out(&self.back, outputs, inputs, dilation, p)
        self.place = p
        self.taps = taps
        for o in range(outputs):
            take_window(&self.forward, o, o * stride - before, taps, 0)
        p += taps                       # where the taps of each residue begin
        remaining = 0
        for residue in range(min(stride, taps)):
            p[residue] = remaining
            remaining += (taps - residue + stride - 1) // stride
        for k in range(taps):
            self.place[k] = p[k % stride] + (taps - k % stride + stride - 1) // stride - 1 - k // stride
        for o in range(inputs):
            residue = (o + before) % stride
            remaining = (taps - residue + stride - 1) // stride if residue < taps else 0
            low = (o + before) // stride - (remaining - 1) * dilation
            take_window(&self.back, o, low, remaining, p[residue] if residue < taps else 0)
        find_runs(&self.forward)
        find_runs(&self.back)


cdef long* lay_out(Axis* a, long inputs, long outputs, long step, long* p) noexcept:
    """Gives the axis its memory; returns what comes after it."""
    a.inputs = inputs
    a.outputs = outputs
    a.step = step
    a.first = p
    a.tap = p + outputs
    a.count = p + 2 * outputs
    a.order = p + 3 * outputs
    a.ends = p + 4 * outputs
    return p + 5 * outputs


cdef void take_window(Axis* a, long o, long low, long taps, long tap) noexcept:
    """Output o has so many taps, `tap` and those after it, the first at input `low`: those that are inside."""
    cdef long begin = 0, end = 0
    if low < 0:
        begin = (-low + a.step - 1) // a.step
    if low < a.inputs:
        end = min(taps, (a.inputs - low + a.step - 1) // a.step)
    a.count[o] = max(0, end - begin)
    a.first[o] = low + begin * a.step if end > begin else 0
    a.tap[o] = tap + begin if end > begin else 0


cdef void find_runs(Axis* a) noexcept:
    """The first output of each run is compared with those of the runs before it."""
    cdef long o, p, run, found = 0
    a.runs = 0
    for o in range(a.outputs):
        for run in range(a.runs):
            p = a.order[a.ends[run - 1] if run > 0 else 0]
            if a.tap[p] == a.tap[o] and a.count[p] == a.count[o]:
                break
        else:
            for p in range(o, a.outputs):
                if a.tap[p] == a.tap[o] and a.count[p] == a.count[o]:
                    a.order[found] = p
                    found += 1
            a.ends[a.runs] = found
            a.runs += 1
