# Packing: weights into the column vectors that tiles read, once after each update.

cdef enum:
    LARGEST_VL = 16     # for the sizes of arrays, which Cython must know: VL is known to the C compiler alone


cdef void pack_columns(const real* w, long ld, long K, long H, const int* gates, long G, real* out) noexcept nogil:
    """(K, gates of H columns) -> [P][G][K][VL], zeros beyond H; gates: where gate g's columns begin, in units of H."""
    cdef long u, g, k, P = (H + VL - 1) // VL, width
    cdef const real* source
    for u in range(P):
        width = min(<long>VL, H - u * VL)
        for g in range(G):
            source = w + gates[g] * H + u * VL
            for k in range(K):
                vstore(out, vload_part(source + k * ld, width))
                out += VL


cdef void pack_transposed(const real* w, long ld, long K, long H, const int* gates, long G, long HP,
                          real* out) noexcept nogil:
    """(K, gates of H columns) -> its transpose as [K / VL][G * HP][VL]: rows are units, zeros beyond H and K."""
    cdef vf square[LARGEST_VL]
    cdef long v, g, j, i, height, width
    cdef const real* source
    for v in range((K + VL - 1) // VL):
        height = min(<long>VL, K - v * VL)
        for g in range(G):
            j = 0
            while j < HP:
                source = w + v * VL * ld + gates[g] * H + j
                width = min(<long>VL, H - j)
                for i in range(VL):
                    square[i] = vload_part(source + i * ld, width) if i < height else vzero()
                transpose(square)
                for i in range(min(<long>VL, HP - j)):
                    vstore(out, square[i])
                    out += VL
                j += VL
