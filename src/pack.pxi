# Packing: weights into the column vectors that tiles read, once after each update.

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
    cdef long v, g, j, lane, width
    cdef const real* source
    for v in range((K + VL - 1) // VL):
        width = min(<long>VL, K - v * VL)
        for g in range(G):
            for j in range(HP):
                if j >= H:
                    vstore(out, vzero())
                else:
                    source = w + v * VL * ld + gates[g] * H + j
                    for lane in range(width):
                        out[lane] = source[lane * ld]
                    for lane in range(width, VL):
                        out[lane] = 0
                out += VL
