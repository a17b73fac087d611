# distutils: language = c++
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""CRC-32 of strings, doubles as MySQL prints them, and sums of row hashes, over the buffers of Arrow
arrays, without the GIL. All pointers are addresses of buffers that the caller keeps alive."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cdef extern from *:
    """
    #include <charconv>
    #include <cstdint>
    #include <cstdlib>
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

cdef extern from *:
    """
    /* MD5 (RFC 1321) of n bytes: the first 64 bits, big-endian. */
    static inline uint32_t mainstem_turn(uint32_t x, int n) { return x << n | x >> (32 - n); }

    static void mainstem_md5_block(uint32_t *state, const uint8_t *block) {
        static const uint32_t K[64] = {
            0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
            0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
            0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
            0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
            0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
            0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
            0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
            0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
        static const int S[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};
        uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 | (uint32_t)block[4 * i + 2] << 16
                 | (uint32_t)block[4 * i + 3] << 24;
    #pragma GCC unroll 64
        for (int i = 0; i < 64; i++) {
            uint32_t f;
            int g;
            if (i < 16) { f = d ^ (b & (c ^ d)); g = i; }
            else if (i < 32) { f = c ^ (d & (b ^ c)); g = (5 * i + 1) & 15; }
            else if (i < 48) { f = b ^ c ^ d; g = (3 * i + 5) & 15; }
            else { f = c ^ (b | ~d); g = (7 * i) & 15; }
            uint32_t next = b + mainstem_turn(a + f + K[i] + w[g], S[(i >> 4) * 4 + (i & 3)]);
            a = d; d = c; c = b; b = next;
        }
        state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    }

    static uint64_t mainstem_md5_64(const uint8_t *p, int64_t n) {
        uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
        uint8_t last[128] = {0};
        int64_t bits = n * 8, rest = n & 63;
        for (; n >= 64; n -= 64, p += 64) mainstem_md5_block(state, p);
        if (rest) memcpy(last, p, rest);
        last[rest] = 0x80;
        int blocks = rest < 56 ? 1 : 2;
        for (int i = 0; i < 8; i++) last[blocks * 64 - 8 + i] = (uint8_t)(bits >> (8 * i));
        for (int i = 0; i < blocks; i++) mainstem_md5_block(state, last + 64 * i);
        return (uint64_t)__builtin_bswap32(state[0]) << 32 | __builtin_bswap32(state[1]);
    }

    /* PostgreSQL's hash_bytes_extended with seed 0, as little-endian servers compute it (hashfn.c; B. Jenkins,
       "lookup3", 2006), with the top bit flipped: the signed number that SQL shows, plus 2^63. */
    #define MAINSTEM_MIX(a, b, c) { \\
        a -= c; a ^= mainstem_turn(c, 4); c += b;  b -= a; b ^= mainstem_turn(a, 6); a += c; \\
        c -= b; c ^= mainstem_turn(b, 8); b += a;  a -= c; a ^= mainstem_turn(c, 16); c += b; \\
        b -= a; b ^= mainstem_turn(a, 19); a += c; c -= b; c ^= mainstem_turn(b, 4); b += a; }

    static inline uint32_t mainstem_word(const uint8_t *p) {
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }

    static uint64_t mainstem_jenkins(const uint8_t *p, int64_t n) {
        uint32_t a = 0x9e3779b9u + (uint32_t)n + 3923095u, b = a, c = a;
        for (; n >= 12; n -= 12, p += 12) {
            a += mainstem_word(p); b += mainstem_word(p + 4); c += mainstem_word(p + 8);
            MAINSTEM_MIX(a, b, c)
        }
        uint8_t last[12] = {0};
        memcpy(last, p, n);
        a += mainstem_word(last); b += mainstem_word(last + 4);
        c += mainstem_word(last + 8) << 8;  /* its lowest byte is reserved */
        c ^= b; c -= mainstem_turn(b, 14); a ^= c; a -= mainstem_turn(c, 11);
        b ^= a; b -= mainstem_turn(a, 25); c ^= b; c -= mainstem_turn(b, 16);
        a ^= c; a -= mainstem_turn(c, 4);  b ^= a; b -= mainstem_turn(a, 14);
        c ^= b; c -= mainstem_turn(b, 24);
        return ((uint64_t)b << 32 | c) ^ 0x8000000000000000ull;
    }

    /* One column of a batch; `kind` as in hashing/rows.py. */
    struct mainstem_column {
        int kind, scale;
        int64_t start;
        const uint8_t *valid, *values;
        const int32_t *offsets;
    };

    enum { MS_INT = 1, MS_LONG, MS_DECIMAL, MS_TEXT, MS_HASHED, MS_HEX, MS_BOOLEAN, MS_DATE, MS_MOMENT,
           MS_DOUBLE, MS_FLOAT };

    enum { MS_CRC = 0, MS_MD5 = 1, MS_JENKINS = 2 };  /* as in hashing/rows.py */

    static inline uint64_t mainstem_hash(const uint8_t *p, int64_t n, int hash) {
        if (hash == MS_JENKINS) return mainstem_jenkins(p, n);
        return hash == MS_MD5 ? mainstem_md5_64(p, n) : mainstem_crc(p, n);
    }

    /* Cells that stand as a number: PostgreSQL shows no Jenkins hash of bytes. */
    static inline uint64_t mainstem_cell_hash(const uint8_t *p, int64_t n, int hash) {
        return hash == MS_CRC ? mainstem_crc(p, n) : mainstem_md5_64(p, n);
    }

    template <typename T> static inline T mainstem_at(const uint8_t *values, int64_t i) {
        T value;
        memcpy(&value, values + i * sizeof(T), sizeof(T));
        return value;
    }

    template <typename T> static inline char *mainstem_digits(char *to, T value) {
        return std::to_chars(to, to + 24, value).ptr;
    }

    static char *mainstem_hex(char *to, const uint8_t *p, int64_t n) {
        for (; n > 0; n--, p++) { *to++ = "0123456789ABCDEF"[*p >> 4]; *to++ = "0123456789ABCDEF"[*p & 15]; }
        return to;
    }

    static inline char *mainstem_padded(char *to, unsigned value, int digits) {
        for (int i = digits - 1; i >= 0; i--, value /= 10) to[i] = '0' + value % 10;
        return to + digits;
    }

    static char *mainstem_fixed(char *to, __int128 value, int scale) {
        char digits[48], *end;
        unsigned __int128 size = value;
        if (value < 0) { *to++ = '-'; size = -size; }
        if (size >> 64) {
            const uint64_t chunk = 10000000000000000000ULL;
            end = mainstem_digits(digits, (uint64_t)(size / chunk));  /* 38 digits: less than 2^64 */
            uint64_t low = size % chunk;
            for (int i = 18; i >= 0; i--, low /= 10) end[i] = '0' + low % 10;
            end += 19;
        } else end = mainstem_digits(digits, (uint64_t)size);
        int n = end - digits, whole = n - scale;
        if (whole <= 0) { *to++ = '0'; } else { memcpy(to, digits, whole); to += whole; }
        if (!scale) return to;
        *to++ = '.';
        for (; whole < 0; whole++) *to++ = '0';
        memcpy(to, end - (n < scale ? n : scale), n < scale ? n : scale);
        return to + (n < scale ? n : scale);
    }

    /* YYYY-MM-DD of a day since 1970-01-01; H. Hinnant, "chrono-compatible low-level date algorithms". */
    static char *mainstem_date(char *to, int64_t day) {
        int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
        unsigned doe = (unsigned)(z - era * 146097);
        unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
        unsigned month = mp < 10 ? mp + 3 : mp - 9;
        int64_t year = (int64_t)yoe + era * 400 + (month <= 2);
        if (year < 0) { *to++ = '-'; year = -year; }
        to = year < 10000 ? mainstem_padded(to, (unsigned)year, 4) : mainstem_digits(to, year);
        *to++ = '-';
        to = mainstem_padded(to, month, 2);
        *to++ = '-';
        return mainstem_padded(to, doy - (153 * mp + 2) / 5 + 1, 2);
    }

    static char *mainstem_moment(char *to, int64_t micros) {
        const int64_t a_day = 86400000000LL;
        int64_t day = micros / a_day, rest = micros % a_day;
        if (rest < 0) { rest += a_day; day--; }
        to = mainstem_date(to, day);
        unsigned seconds = (unsigned)(rest / 1000000);
        *to++ = ' '; to = mainstem_padded(to, seconds / 3600, 2);
        *to++ = ':'; to = mainstem_padded(to, seconds / 60 % 60, 2);
        *to++ = ':'; to = mainstem_padded(to, seconds % 60, 2);
        *to++ = '.';
        return mainstem_padded(to, (unsigned)(rest % 1000000), 6);
    }

    static char *mainstem_cell(char *to, const mainstem_column *c, int64_t i, int hash) {
        switch (c->kind) {
        case MS_INT: return mainstem_digits(to, mainstem_at<int32_t>(c->values, i));
        case MS_LONG: return mainstem_digits(to, mainstem_at<int64_t>(c->values, i));
        case MS_DECIMAL: return mainstem_fixed(to, mainstem_at<__int128>(c->values, i), c->scale);
        case MS_BOOLEAN: *to = c->values[i >> 3] >> (i & 7) & 1 ? '1' : '0'; return to + 1;
        case MS_DATE: return mainstem_date(to, mainstem_at<int32_t>(c->values, i));
        case MS_MOMENT: return mainstem_moment(to, mainstem_at<int64_t>(c->values, i));
        case MS_DOUBLE: case MS_FLOAT: {
            uint8_t bytes[8];
            int size = c->kind == MS_DOUBLE ? 8 : 4;
            for (int k = 0; k < size; k++) bytes[k] = c->values[i * size + size - 1 - k];
            return mainstem_hex(to, bytes, size);
        }
        }
        const uint8_t *text = c->values + c->offsets[i];
        int64_t n = c->offsets[i + 1] - c->offsets[i];
        if (c->kind == MS_HEX) return mainstem_hex(to, text, n);
        if (c->kind == MS_HASHED) return mainstem_digits(to, mainstem_cell_hash(text, n, hash));
        if (n) memcpy(to, text, n);
        return to + n;
    }

    /* The sum of the hashes of the rows' texts, joined by U+001F, NULL as U+001E. -1: no memory. */
    static int mainstem_sum_rows(const mainstem_column *columns, int width, int64_t rows, int hash,
                                 uint64_t *high, uint64_t *low) {
        unsigned __int128 total = 0;
        int64_t room = 0;
        char *row = nullptr;
        for (int64_t r = 0; r < rows; r++) {
            int64_t need = 64 * (int64_t)width;
            for (int c = 0; c < width; c++)
                if (columns[c].offsets) {
                    int64_t i = columns[c].start + r;
                    need += 2 * (int64_t)(columns[c].offsets[i + 1] - columns[c].offsets[i]);
                }
            if (need > room) {
                room = 2 * need;
                free(row);
                row = (char *)malloc(room);
                if (!row) return -1;
            }
            char *to = row;
            for (int c = 0; c < width; c++) {
                int64_t i = columns[c].start + r;
                if (c) *to++ = 0x1F;
                if (columns[c].valid && !(columns[c].valid[i >> 3] >> (i & 7) & 1)) *to++ = 0x1E;
                else to = mainstem_cell(to, columns + c, i, hash);
            }
            total += mainstem_hash((const uint8_t *)row, to - row, hash);
        }
        free(row);
        *high = (uint64_t)(total >> 64);
        *low = (uint64_t)total;
        return 0;
    }
    """
    ctypedef struct mainstem_column:
        int kind
        int scale
        int64_t start
        const uint8_t *valid
        const uint8_t *values
        const int32_t *offsets
    uint64_t mainstem_jenkins(const uint8_t *p, int64_t n) nogil
    int mainstem_sum_rows(const mainstem_column *columns, int width, int64_t rows, int hash,
                          uint64_t *high, uint64_t *low) nogil

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


def jenkins(size_t offsets, size_t data, int64_t start, int64_t length, size_t out):
    """The same for PostgreSQL's 64-bit hash of a text: `out` is of uint64."""
    cdef const int32_t *at = <const int32_t *> offsets + start
    cdef const uint8_t *bytes_ = <const uint8_t *> data
    cdef uint64_t *sums = <uint64_t *> out
    cdef int64_t i
    with nogil:
        for i in range(length):
            sums[i] = mainstem_jenkins(bytes_ + at[i], at[i + 1] - at[i])


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


def sum_rows(list columns, int64_t rows, int hash_):
    """The sum of the row hashes of a batch. A column: (kind, scale, start, validity, values, offsets), the
    last three addresses of buffers, 0 where there is none."""
    cdef int width = len(columns), at = 0, done
    cdef uint64_t high = 0, low = 0
    cdef mainstem_column *made = <mainstem_column *> calloc(width + 1, sizeof(mainstem_column))
    if made == NULL:
        raise MemoryError
    try:
        for kind, scale, start, validity, values, offsets in columns:
            made[at].kind = kind
            made[at].scale = scale
            made[at].start = start
            made[at].valid = <const uint8_t *> <size_t> validity
            made[at].values = <const uint8_t *> <size_t> values
            made[at].offsets = <const int32_t *> <size_t> offsets
            at += 1
        with nogil:
            done = mainstem_sum_rows(made, width, rows, hash_, &high, &low)
    finally:
        free(made)
    if done:
        raise MemoryError
    return (int(high) << 64) + int(low)
