"""What the processor and the operating system offer; fastrnn._core chooses an instruction set by it."""

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__x86_64__) || defined(__i386__)
    #include <cpuid.h>
    static uint64_t enabled_state(void) {           /* registers that the operating system saves (XCR0) */
      uint32_t a, b, c, d;
      if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return 0;
      __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
      return ((uint64_t)d << 32) | a;
    }
    static int has_avx2(void) {
      uint32_t a, b, c, d;
      if ((enabled_state() & 6) != 6 || !__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 12))) return 0;  /* FMA */
      return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 5));
    }
    static int has_avx512(void) {                   /* F, DQ, BW, VL */
      uint32_t a, b, c, d, need = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);
      if (!has_avx2() || (enabled_state() & 0xe6) != 0xe6) return 0;
      return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & need) == need;
    }
    static void brand(char *text) {
      uint32_t *r = (uint32_t *)text;
      memset(text, 0, 49);
      for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, r + 4 * i, r + 4 * i + 1, r + 4 * i + 2, r + 4 * i + 3)) return;
    }
    static const int architecture = 1;
    #else
    static int has_avx2(void) { return 0; }
    static int has_avx512(void) { return 0; }
    static void brand(char *text) { text[0] = 0; }
    #if defined(__aarch64__)
    static const int architecture = 2;
    #else
    static const int architecture = 0;
    #endif
    #endif
    """
    int has_avx2()
    int has_avx512()
    void brand(char*)
    const int architecture


def instruction_sets():
    """Names of the instruction sets that can run here, fastest first."""
    if architecture == 2:
        return ("neon",)
    names = ["baseline"]
    if has_avx2():
        names.insert(0, "avx2")
    if has_avx512():
        names.insert(0, "avx512")
    return tuple(names)


def processor_name():
    """The processor's own name, or an empty string."""
    cdef char text[49]
    brand(text)
    return text.decode("ascii", "replace").strip()
