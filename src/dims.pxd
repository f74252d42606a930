# The scalar and vector types, and the letters that every kernel uses for its shapes:
#
#   N batch   T time   D input width   H hidden units   O output width   K length of a product's sum
#   G gates, as columns of W and U in H
#   P vectors of VL units that hold H (the last one padded)   HP = P * VL   J row length of z: blocks * HP, and a bit
#
# `real` is float or double, as the build says; Cython only needs to know that it is a number.
cdef extern from "simd/simd.h" nogil:
    ctypedef float real
    ctypedef float vf
    ctypedef unsigned long uint64_t
    int VL
    int ACCUMULATORS
    vf vload(const real*)
    void vstore(real*, vf)
    void vstream(real*, vf)
    void streams_end()
    bint STREAMS
    vf vload_part(const real*, long)
    void vstore_part(real*, vf, long)
    vf vset1(real)
    vf vzero()
    vf vlarger(vf, vf)
    vf vmax(vf, real)
    vf vmin(vf, real)
    void transpose(vf*)
    real lane_sum(vf)
    real lane_max(vf)
    vf lanes_from(vf, long, long)
    real first_lane(vf)
    vf where_nonzero(vf, vf)
    vf where_equal(vf, vf, vf, vf)
    vf vlarger_or_nan(vf, vf)
    vf lowest()
    int nonzeros(vf)
    vf vstep(vf)
    vf vinside(vf, real, real)
    uint64_t denormals_state()
    uint64_t denormals_off()
    void denormals_restore(uint64_t)
    long singly(long)
    void prefetch(const real*, long)
    void prefetch_first(const real*, long)
    void prefetch_to_write(const real*, long)


cdef extern from "simd/exponentials.h" nogil:
    vf vexp(vf)
    vf vsigmoid(vf)
    vf vtanh(vf)
    void vsigmoid_each(int, vf*)
    void vtanh_each(int, vf*)
