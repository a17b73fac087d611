# distutils: language = c++
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""CRC-32 of strings, and doubles as MySQL prints them, over the buffers of Arrow arrays, without the GIL.
All pointers are addresses of buffers that the caller keeps alive."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

cdef extern from *:
    """
    #include <charconv>
    #include <cstdint>
    #include <cstring>
    #include <cmath>

    /* CRC-32 (ISO 3309), eight bytes a step: M. Kounavis, F. Berry, "Slicing-by-8", 2005. */
    static uint32_t mainstem_crc_table[8][256];

    static void mainstem_crc_init() {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
            mainstem_crc_table[0][i] = c;
        }
        for (int t = 1; t < 8; t++)
            for (uint32_t i = 0; i < 256; i++) {
                uint32_t c = mainstem_crc_table[t - 1][i];
                mainstem_crc_table[t][i] = (c >> 8) ^ mainstem_crc_table[0][c & 0xFF];
            }
    }

    static inline uint32_t mainstem_crc(const uint8_t *p, int64_t n) {
        uint32_t c = 0xFFFFFFFFu;
        const uint32_t (*t)[256] = mainstem_crc_table;
        for (; n >= 8; n -= 8, p += 8) {
            uint32_t a = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16
                              | (uint32_t)p[3] << 24);
            uint32_t b = (uint32_t)p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 24;
            c = t[7][a & 0xFF] ^ t[6][a >> 8 & 0xFF] ^ t[5][a >> 16 & 0xFF] ^ t[4][a >> 24]
                ^ t[3][b & 0xFF] ^ t[2][b >> 8 & 0xFF] ^ t[1][b >> 16 & 0xFF] ^ t[0][b >> 24];
        }
        for (; n > 0; n--, p++) c = t[0][(c ^ *p) & 0xFF] ^ (c >> 8);
        return ~c;
    }

    /* The shortest digits that read back as x, in MySQL's dress (my_gcvt, strings/dtoa.c): plain between
       1e-15 and 1e15 (and where a digit is left after the point), else d.ddde-NN without '+' or padding. Returns the length, at most 24. */
    static int mainstem_double_text(double x, char *out) {
        char raw[40], digits[20];
        int n = 0, exponent = 0, negative_exponent = 0;
        char *to = out;
        if (std::isnan(x)) { memcpy(out, "nan", 3); return 3; }
        if (std::signbit(x)) { *to++ = '-'; x = -x; }
        if (std::isinf(x)) { memcpy(to, "inf", 3); return (int)(to + 3 - out); }
        if (x == 0) { *to++ = '0'; return (int)(to - out); }
        std::to_chars_result end = std::to_chars(raw, raw + sizeof raw, x, std::chars_format::scientific);
        const char *p = raw;
        for (; p < end.ptr && *p != 'e'; p++) if (*p != '.') digits[n++] = *p;
        p++;
        if (*p == '-') negative_exponent = 1;
        for (p++; p < end.ptr; p++) exponent = exponent * 10 + (*p - '0');
        if (negative_exponent) exponent = -exponent;
        int point = exponent + 1;
        if (point < -14 || (point > 15 && n <= point)) {
            *to++ = digits[0];
            if (n > 1) { *to++ = '.'; memcpy(to, digits + 1, n - 1); to += n - 1; }
            *to++ = 'e';
            return (int)(std::to_chars(to, to + 6, exponent).ptr - out);
        }
        if (point <= 0) {
            *to++ = '0'; *to++ = '.';
            for (int i = point; i < 0; i++) *to++ = '0';
            memcpy(to, digits, n);
            return (int)(to + n - out);
        }
        for (int i = 0; i < point; i++) *to++ = i < n ? digits[i] : '0';
        if (n > point) { *to++ = '.'; memcpy(to, digits + point, n - point); to += n - point; }
        return (int)(to - out);
    }
    """
    void mainstem_crc_init()
    uint32_t mainstem_crc(const uint8_t *p, int64_t n) nogil
    int mainstem_double_text(double x, char *out) nogil

mainstem_crc_init()

LONGEST = 40  # bytes that a double's text needs at most, with a margin


def crc32(size_t offsets, size_t data, int64_t start, int64_t length, size_t out):
    """`out[i]` (uint32) = CRC-32 of string `start + i`, by 32-bit `offsets` into `data`."""
    cdef const int32_t *at = <const int32_t *> offsets + start
    cdef const uint8_t *bytes_ = <const uint8_t *> data
    cdef uint32_t *sums = <uint32_t *> out
    cdef int64_t i
    with nogil:
        for i in range(length):
            sums[i] = mainstem_crc(bytes_ + at[i], at[i + 1] - at[i])


def double_texts(size_t values, int64_t start, int64_t length, size_t offsets, size_t text):
    """Write the texts one after the other to `text` (room: LONGEST a value) and their 32-bit `offsets`
    (room: length + 1). Returns the bytes written."""
    cdef const double *from_ = <const double *> values + start
    cdef int32_t *at = <int32_t *> offsets
    cdef char *to = <char *> text
    cdef int64_t i, used = 0
    with nogil:
        at[0] = 0
        for i in range(length):
            used += mainstem_double_text(from_[i], to + used)
            at[i + 1] = <int32_t> used
    return used
