# Products through SciPy's BLAS. Nothing is bound at import: fastrnn._core.blas does it when a product first goes there.
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer

cdef extern from *:
    """
    #if defined(__FMA__) || defined(__aarch64__)
    #define FUSED 1
    #else
    #define FUSED 0
    #endif
    """
    bint FUSED          # the kernels have fused multiply-adds

# Fortran's gemm. SciPy's BLAS has integers of 32 or of 64 bits; they are passed by address, so a number below 2^31 in
# 64 bits is read right as either (on the little-endian machines that there are kernels for).
ctypedef long long blas_int
ctypedef void (*Gemm)(char*, char*, blas_int*, blas_int*, blas_int*, real*, real*, blas_int*, real*, blas_int*, real*,
                      real*, blas_int*) noexcept nogil

cdef enum:
    BLAS_AUTO = 0       # BLAS where it measures faster than the tile, always, or never
    BLAS_ALWAYS = 1
    BLAS_NEVER = 2
    BLAS_LARGEST = 0x7fffffff

cdef Gemm blas_gemm = NULL
cdef int blas_mode = BLAS_AUTO


def set_blas_mode(int mode):
    """0 auto, 1 always, 2 never: what goes_to_blas goes by."""
    global blas_mode
    blas_mode = mode


def bind_blas(capsule):
    """Take sgemm or dgemm, as the scalar type is, from the capsule that scipy.linalg.cython_blas has of it."""
    global blas_gemm
    blas_gemm = <Gemm>PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))


cdef bint blas_enter(bint wanted) except -1:
    """Have BLAS bound, and single-threaded until blas_leave, as nothing between the two raises; False if there is none
    to use: the tile does it then."""
    if not wanted:
        return False
    from fastrnn._core import blas
    return blas.enter("float32" if sizeof(real) == 4 else "float64", bind_blas if blas_gemm == NULL else None)


cdef int blas_leave(bint entered) except -1:
    if entered:
        from fastrnn._core import blas
        blas.leave()
    return 0


cdef void gemm(bint transpose_a, bint transpose_b, long M, long O, long K, const real* a, long lda, const real* b,
               long ldb, bint add, real* out, long ldo) noexcept nogil:
    """out (M, O) (+)= a (M, K) b (K, O), row-major; a transposed lies as (K, M), b as (O, K)."""
    # Column-major BLAS sees each matrix transposed: out^T = b^T a^T.
    cdef char first = b'T' if transpose_b else b'N', second = b'T' if transpose_a else b'N'
    cdef blas_int m = O, n = M, k = K, ld_first = ldb, ld_second = lda, ld_out = ldo
    cdef real one = 1, beta = 1 if add else 0
    blas_gemm(&first, &second, &m, &n, &k, &one, <real*>b, &ld_first, <real*>a, &ld_second, &beta, out, &ld_out)


cdef inline long parts_of(long size, long largest) noexcept nogil:
    """How many parts of nearly one size, none above `largest`: what one call computes depends on the shape alone."""
    return (size + largest - 1) // largest
