# From NumPy arrays to pointers: type, alignment and shape are checked here, so that no kernel reads out of bounds.
#
# What checks is no inline function: the code around a kernel is half of its module as it is.
#
# Each kind of array has two takers. `matrix` gives a pointer to const: what only reads. `matrix_out` gives one that can be
# written through, and refuses an array that cannot be written to: its memory may be a file's, mapped read-only, where a
# store ends the process. The compiler warns where the pointer of the first comes to be written through.
cdef enum:
    MOST_AXES = 64      # of an array, in any version of NumPy

cdef int REAL_TYPE = cnp.NPY_FLOAT if sizeof(real) == 4 else cnp.NPY_DOUBLE


cdef int refuse(ndarray a, str name, str expected) except -1:
    raise ValueError(f"kernel argument '{name}': expected {expected}, got {a.dtype} array of shape "
                     f"{(<object>a).shape}, strides {(<object>a).strides}")


cdef int check(ndarray a, int kind, int ndim, str name) except -1:
    if cnp.PyArray_TYPE(a) != kind or cnp.PyArray_NDIM(a) != ndim or not cnp.PyArray_ISALIGNED(a) \
            or cnp.PyArray_ISBYTESWAPPED(a):
        refuse(a, name, f"an aligned native array of {ndim} dimensions of the kernel's type")
    return 0


cdef inline long extent(ndarray a, int axis) noexcept:
    """Length of an axis, 0 where there is none: to be had before the number of dimensions is checked."""
    return cnp.PyArray_DIM(a, axis) if axis < cnp.PyArray_NDIM(a) else 0


cdef const real* vector(ndarray a, long size, str name) except? NULL:
    """A contiguous 1-D array of at least `size` elements, or None."""
    if a is None:
        return NULL
    check(a, REAL_TYPE, 1, name)
    if cnp.PyArray_DIM(a, 0) < size or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"{size} contiguous elements")
    return <const real*>cnp.PyArray_DATA(a)


cdef const real* matrix(ndarray a, long rows, long columns, str name) except? NULL:
    """A contiguous 2-D array of that shape, or None."""
    if a is None:
        return NULL
    check(a, REAL_TYPE, 2, name)
    if cnp.PyArray_DIM(a, 0) != rows or cnp.PyArray_DIM(a, 1) != columns or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"contiguous ({rows}, {columns})")
    return <const real*>cnp.PyArray_DATA(a)


cdef const real* sequence(ndarray a, long N, long T, long width, long* n_stride, long* t_stride,
                           str name) except? NULL:
    """(N, T, width) with any strides for batch and time (in elements), contiguous features; or None."""
    if a is None:
        return NULL
    check(a, REAL_TYPE, 3, name)
    if cnp.PyArray_DIM(a, 0) != N or cnp.PyArray_DIM(a, 1) != T or cnp.PyArray_DIM(a, 2) != width \
            or (width > 1 and N * T > 0 and cnp.PyArray_STRIDE(a, 2) != sizeof(real)):
        refuse(a, name, f"({N}, {T}, {width}) with contiguous features")
    n_stride[0] = cnp.PyArray_STRIDE(a, 0) // <long>sizeof(real)
    t_stride[0] = cnp.PyArray_STRIDE(a, 1) // <long>sizeof(real)
    return <const real*>cnp.PyArray_DATA(a)


cdef inline bint is_ready(ndarray a, long width) noexcept:
    """Whether it is a contiguous, aligned, native array of the kernel's type, of two axes or more and that many features."""
    cdef int ndim = cnp.PyArray_NDIM(a)
    return cnp.PyArray_TYPE(a) == REAL_TYPE and ndim > 1 and cnp.PyArray_DIM(a, ndim - 1) == width \
        and cnp.PyArray_IS_C_CONTIGUOUS(a) and cnp.PyArray_ISALIGNED(a) and not cnp.PyArray_ISBYTESWAPPED(a)


cdef inline long count_rows(ndarray a) noexcept:
    """Rows of an array: the product of all axes but the last."""
    cdef long rows = 1
    cdef int axis
    for axis in range(cnp.PyArray_NDIM(a) - 1):
        rows *= cnp.PyArray_DIM(a, axis)
    return rows


cdef inline long width_of(ndarray a) noexcept:
    """Length of the last axis, 0 where there is none."""
    return extent(a, cnp.PyArray_NDIM(a) - 1) if cnp.PyArray_NDIM(a) > 0 else 0


cdef const real* rows(ndarray a, long M, long width, str name) except? NULL:
    """A contiguous array of M rows in any number of axes, the last of that width; or None."""
    if a is None:
        return NULL
    check(a, REAL_TYPE, cnp.PyArray_NDIM(a), name)
    if cnp.PyArray_NDIM(a) < 1 or width_of(a) != width or count_rows(a) != M or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"{M} contiguous rows of {width}")
    return <const real*>cnp.PyArray_DATA(a)


cdef const real* elements(ndarray a, long size, str name) except? NULL:
    """A contiguous array of exactly `size` elements in any number of dimensions, or None."""
    if a is None:
        return NULL
    check(a, REAL_TYPE, cnp.PyArray_NDIM(a), name)
    if cnp.PyArray_SIZE(a) != size or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"{size} contiguous elements")
    return <const real*>cnp.PyArray_DATA(a)


cdef const int* integers(ndarray a, long size, str name) except? NULL:
    """A contiguous int32 (size,)."""
    check(a, cnp.NPY_INT32, 1, name)
    if cnp.PyArray_DIM(a, 0) != size or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"contiguous ({size},)")
    return <const int*>cnp.PyArray_DATA(a)


cdef int check_below(ndarray a, long N, long T, long n_stride, long t_stride, long V, str name) except -1:
    """Every one of the int32 (N, T) in `a`, with these strides in elements, names a row of a table of V."""
    cdef const int* rows = <const int*>cnp.PyArray_DATA(a)
    cdef long n, t
    cdef bint bad = False
    with nogil:
        for n in range(N):
            for t in range(T):
                bad |= <unsigned int>rows[n * n_stride + t * t_stride] >= <unsigned long>V
    if bad:
        raise ValueError(f"kernel argument '{name}': expected 0 to {V - 1}, got {a.min()} to {a.max()}")
    return 0


cdef const int* indices_below(ndarray a, long M, long V, str name) except? NULL:
    """A contiguous int32 (M,), each a row of a table of V."""
    cdef const int* rows = integers(a, M, name)
    check_below(a, 1, M, 0, 1, V, name)
    return rows


cdef const int* table_rows(ndarray a, long N, long T, long V, long* n_stride, long* t_stride,
                            str name) except? NULL:
    """int32 (N, T) with any strides, each a row of a table of V; or None."""
    if a is None:
        return NULL
    check(a, cnp.NPY_INT32, 2, name)
    if cnp.PyArray_DIM(a, 0) != N or cnp.PyArray_DIM(a, 1) != T:
        refuse(a, name, f"({N}, {T})")
    n_stride[0] = cnp.PyArray_STRIDE(a, 0) // <long>sizeof(int)
    t_stride[0] = cnp.PyArray_STRIDE(a, 1) // <long>sizeof(int)
    check_below(a, N, T, n_stride[0], t_stride[0], V, name)
    return <const int*>cnp.PyArray_DATA(a)


cdef const unsigned char* flags(ndarray a, long size, str name) except? NULL:
    """A contiguous uint8 (size,), or None."""
    if a is None:
        return NULL
    check(a, cnp.NPY_UINT8, 1, name)
    if cnp.PyArray_DIM(a, 0) != size or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"contiguous ({size},)")
    return <const unsigned char*>cnp.PyArray_DATA(a)


cdef const unsigned char* booleans(ndarray a, long N, long T, long* n_stride, long* t_stride) except? NULL:
    """The mask: bool (N, T) with any strides, or None."""
    if a is None:
        return NULL
    check(a, cnp.NPY_BOOL, 2, "mask")
    if cnp.PyArray_DIM(a, 0) != N or cnp.PyArray_DIM(a, 1) != T:
        refuse(a, "mask", f"({N}, {T})")
    n_stride[0] = cnp.PyArray_STRIDE(a, 0)
    t_stride[0] = cnp.PyArray_STRIDE(a, 1)
    return <const unsigned char*>cnp.PyArray_DATA(a)


cdef void* written(ndarray a, const void* p, str name) except? NULL:
    """`p`, where an array begins, to write through it; NULL stays NULL."""
    if p != NULL and not cnp.PyArray_ISWRITEABLE(a):
        raise ValueError(f"kernel argument '{name}': expected an array that can be written to, got a read-only one; pass a "
                         "copy of it")
    return <void*>p


cdef real* vector_out(ndarray a, long size, str name) except? NULL:
    return <real*>written(a, vector(a, size, name), name)


cdef real* matrix_out(ndarray a, long rows, long columns, str name) except? NULL:
    return <real*>written(a, matrix(a, rows, columns, name), name)


cdef real* rows_out(ndarray a, long M, long width, str name) except? NULL:
    return <real*>written(a, rows(a, M, width, name), name)


cdef real* sequence_out(ndarray a, long N, long T, long width, long* n_stride, long* t_stride,
                               str name) except? NULL:
    return <real*>written(a, sequence(a, N, T, width, n_stride, t_stride, name), name)


cdef real* elements_out(ndarray a, long size, str name) except? NULL:
    return <real*>written(a, elements(a, size, name), name)


cdef unsigned char* bools_out(ndarray a, long size, str name) except? NULL:
    """A contiguous bool (size,)."""
    check(a, cnp.NPY_BOOL, 1, name)
    if cnp.PyArray_DIM(a, 0) != size or not cnp.PyArray_IS_C_CONTIGUOUS(a):
        refuse(a, name, f"contiguous ({size},)")
    return <unsigned char*>written(a, cnp.PyArray_DATA(a), name)


cdef unsigned char* flags_out(ndarray a, long size, str name) except? NULL:
    return <unsigned char*>written(a, flags(a, size, name), name)


cdef ndarray with_width(ndarray a, long width):
    """A new array of the kernel's type and of a's shape but for the last axis."""
    cdef cnp.npy_intp shape[MOST_AXES]
    cdef int axis, ndim = cnp.PyArray_NDIM(a)
    for axis in range(ndim - 1):
        shape[axis] = cnp.PyArray_DIM(a, axis)
    shape[ndim - 1] = width
    return cnp.PyArray_EMPTY(ndim, shape, REAL_TYPE, 0)


cdef long SLACK = 64 // sizeof(real)     # elements that aligning a buffer may cost


cdef inline real* aligned(real* p) noexcept nogil:
    """The next multiple of 64 bytes: a cache line, and the widest vector."""
    return <real*>((<size_t>p + 63) & ~<size_t>63)


cdef inline const real* aligned_const(const real* p) noexcept nogil:
    return aligned(<real*>p)
