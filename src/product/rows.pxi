# The rows that a product over time and batch goes through: those of steps that no mask leaves out.

cdef inline long next_cells(const unsigned char* mask, long mask_n, long mask_t, long* t, long* n, long t1, long n0,
                            long n1, long most, long* times, long* rows) noexcept nogil:
    """The next `most` active (time, row) pairs of steps up to t1 and rows n0 to n1, in the order of time; mask: (N, T) with
    these strides, 0 is a masked step; or NULL."""
    cdef long count = 0
    if n0 == n1:
        t[0] = t1
        return 0
    while t[0] < t1 and count < most:
        if mask == NULL or mask[n[0] * mask_n + t[0] * mask_t]:
            times[count] = t[0]
            rows[count] = n[0]
            count += 1
        n[0] += 1
        if n[0] == n1:
            n[0] = n0
            t[0] += 1
    return count
