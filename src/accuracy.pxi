# Whether the largest of a row of predictions is where the largest of its targets is.

cdef inline long first_largest(const real* row, long C) noexcept nogil:
    """Index of the row's first largest element; of its first NaN, if there is one."""
    cdef real largest = row_max(row, C)
    cdef unsigned int bits
    cdef long c = 0
    while c < C:
        bits = lanes_nan(vload_part(row + c, C - c))
        if bits != 0:
            return c + lowest_bit(bits)
        c += VL
    c = 0
    while c < C:                # lanes beyond the row are zeros: too late to be the first
        bits = lanes_equal(vload_part(row + c, C - c), largest)
        if bits != 0:
            return c + lowest_bit(bits)
        c += VL
    return C


cdef void same_largest_share(const real* t, const real* p, cnp.npy_bool* same, long C, long m0, long m1) noexcept nogil:
    cdef uint64_t state = denormals_off()
    cdef long m
    for m in range(m0, m1):
        same[m] = first_largest(t + m * C, C) == first_largest(p + m * C, C)
    denormals_restore(state)


def same_largest(ndarray t not None, ndarray p not None, ndarray same not None, long threads):
    """same (M,) = whether the first largest of t (M, C) and of p (M, C) stand at one index; a NaN is the largest."""
    cdef long M = extent(p, 0), C = extent(p, 1), i, team
    cdef long workers = 1 if M * C < SMALL_WORK // 4 else max(1, min(threads, M))
    cdef real* t_ = matrix(t, M, C, "t")
    cdef real* p_ = matrix(p, M, C, "p")
    cdef cnp.npy_bool* same_ = <cnp.npy_bool*>cnp.PyArray_DATA(same)
    check(same, cnp.NPY_BOOL, 1, "same")
    if cnp.PyArray_DIM(same, 0) != M or not cnp.PyArray_IS_C_CONTIGUOUS(same):
        refuse(same, "same", f"{M} contiguous elements")
    if C == 0:
        refuse(p, "p", "rows of at least one element")
    i = team = 0
    with nogil, parallel(num_threads=workers, use_threads_if=workers > 1):
        i = threadid()
        team = TEAM_SIZE()
        same_largest_share(t_, p_, same_, C, share(M, i, team), share(M, i + 1, team))
