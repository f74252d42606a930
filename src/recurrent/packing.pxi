# The weights of a recurrent layer in the layout of its kernels, packed again where they have changed.

cdef int* IN_ORDER = [0, 1, 2, 3]


cdef int pack_changed(RecurrentRunner r) except -1:
    """W, U, b and the peepholes."""
    cdef long G = r.cell.gates, H = r.H
    if r.W.changed():
        pack_weight(r.W, r.D, H, G, "kernel")
    if r.U is not None and r.U.changed():
        pack_weight(r.U, H, H, G, "recurrent_kernel")
    if r.peephole is not None and r.peephole.changed():
        pack_weight(r.peephole, 1, H, r.cell.peepholes, "peepholes")
    if r.b.changed():
        pack_biases(r.b, H, G, r.cell.two_biases)
    return 0


cdef int pack_weight(Packed p, long K, long H, long G, str name) except -1:
    cdef long version = p.variable.version
    cdef ndarray data = p.variable.data
    cdef const real* w = elements(data, K * G * H, name)
    pack_columns(w, G * H, K, H, IN_ORDER, G, p.room(K * G * ((H + VL - 1) // VL * VL)))
    return p.keeps(data, version)


cdef int pack_biases(Packed p, long H, long G, bint two) except -1:
    """What x W is added to; then, of two biases, the last gate's of h U. The other gates add both to x W."""
    cdef long P = (H + VL - 1) // VL, size = G * P * VL, u, g, version = 0
    cdef ndarray data = None
    cdef const real* b = NULL
    cdef real* out
    cdef real* second
    cdef real* apart
    if p.variable is not None:
        version = p.variable.version
        data = p.variable.data
        b = elements(data, (2 if two else 1) * G * H, "bias")
    out = p.room(2 * size + P * VL)
    apart = out + size
    second = apart + P * VL
    if b == NULL:
        memset(out, 0, (size + P * VL) * sizeof(real))
        return p.keeps(data, version)
    pack_columns(b, G * H, 1, H, IN_ORDER, G, out)
    if two:
        pack_columns(b + G * H, G * H, 1, H, IN_ORDER, G, second)
        for u in range(P):
            for g in range(G - 1):
                vstore(out + (u * G + g) * VL, vload(out + (u * G + g) * VL) + vload(second + (u * G + g) * VL))
            vstore(apart + u * VL, vload(second + (u * G + G - 1) * VL))
    return p.keeps(data, version)


cdef int gates_in(const int* block, int gates, int first, int count, int* order) noexcept:
    """The gates whose columns `count` blocks from the first one on hold, in the order of the blocks; returns how many."""
    cdef int at, g, found = 0
    for at in range(first, first + count):
        for g in range(gates):
            if block[g] == at:
                order[found] = g
                found += 1
    return found


cdef int pack_input_gradient(RecurrentRunner r) except -1:
    """WT, through which gradients go to the input."""
    cdef const Cell* cell = r.cell
    cdef long G = cell.gates, H = r.H, HP = (H + VL - 1) // VL * VL, version
    cdef int order[4]
    cdef ndarray data
    cdef const real* w
    if not r.WT.changed():
        return 0
    version = r.WT.variable.version
    data = r.WT.variable.data
    w = elements(data, r.D * G * H, "kernel")
    gates_in(cell.w_block, cell.gates, 0, cell.blocks, order)
    pack_transposed(w, G * H, r.D, H, order, G, HP, r.WT.room(G * HP * ((r.D + VL - 1) // VL * VL)))
    return r.WT.keeps(data, version)


cdef int pack_state_gradient(RecurrentRunner r) except -1:
    """UT, through which gradients go to the state: a product of its own for each phase, one after the other."""
    cdef const Cell* cell = r.cell
    cdef long G = cell.gates, H = r.H, HP = (H + VL - 1) // VL * VL, version
    cdef int order[4]
    cdef int phase, count
    cdef ndarray data
    cdef const real* u
    cdef real* out
    if r.UT is None or not r.UT.changed():
        return 0
    version = r.UT.variable.version
    data = r.UT.variable.data
    u = elements(data, H * G * H, "recurrent_kernel")
    out = r.UT.room(G * HP * HP)
    for phase in range(cell.phases):
        count = gates_in(cell.u_block, cell.gates, cell.through[phase], cell.through_count[phase], order)
        pack_transposed(u, G * H, H, H, order, count, HP, out)
        out += count * HP * HP
    return r.UT.keeps(data, version)
