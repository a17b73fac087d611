# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rows of MySQL's text protocol → Arrow buffers, without Python objects and without the GIL.

The reference for every value and every refusal is `mainstem.source.mysql.decode`; a differential test
holds the two together. Protocol: MySQL Internals, "ProtocolText::ResultsetRow", "MySQL Packets".
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

import pyarrow as pa

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #if defined(__APPLE__)
    #include <xlocale.h>
    #else
    #include <locale.h>
    #endif

    typedef unsigned __int128 mainstem_u128;

    /* The correctly rounded double of a C-locale decimal text; *end is the first byte not used. */
    static double mainstem_strtod(const char *text, char **end) {
    #if defined(__GLIBC__) || defined(__APPLE__)
        static locale_t c_locale = (locale_t)0;
        if (c_locale == (locale_t)0) c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        return strtod_l(text, end, c_locale);
    #else
        return strtod(text, end);
    #endif
    }

    /* 1 if the bytes are UTF-8 (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF). */
    static int mainstem_utf8(const uint8_t *p, int64_t n) {
        const uint8_t *end = p + n;
        while (p < end) {
            while (end - p >= 8) {
                uint64_t eight;
                memcpy(&eight, p, 8);
                if (eight & 0x8080808080808080ULL) break;
                p += 8;
            }
            if (p == end) break;
            uint8_t a = *p;
            if (a < 0x80) { p++; continue; }
            if (a >= 0xC2 && a <= 0xDF) {
                if (end - p < 2 || (p[1] & 0xC0) != 0x80) return 0;
                p += 2;
            } else if (a >= 0xE0 && a <= 0xEF) {
                if (end - p < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80) return 0;
                if ((a == 0xE0 && p[1] < 0xA0) || (a == 0xED && p[1] > 0x9F)) return 0;
                p += 3;
            } else if (a >= 0xF0 && a <= 0xF4) {
                if (end - p < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80
                    || (p[3] & 0xC0) != 0x80) return 0;
                if ((a == 0xF0 && p[1] < 0x90) || (a == 0xF4 && p[1] > 0x8F)) return 0;
                p += 4;
            } else return 0;
        }
        return 1;
    }
    """
    ctypedef int mainstem_u128 "mainstem_u128"
    double mainstem_strtod(const char *text, char **end) nogil
    int mainstem_utf8(const uint8_t *p, int64_t n) nogil


cdef extern from *:
    """
    /* All powers of ten that a decimal of 38 digits needs. */
    static mainstem_u128 mainstem_pow10(int n) {
        mainstem_u128 power = 1;
        while (n-- > 0) power *= 10;
        return power;
    }

    /* Digits with an optional sign and point → a two's complement integer of 16 bytes, scaled.
       0: well; otherwise it does not fit `precision` (`limit` is 10^precision) and `scale`. */
    static int mainstem_decimal(const uint8_t *p, int64_t n, mainstem_u128 limit, int scale, uint8_t *out) {
        const uint8_t *end = p + n;
        int negative = 0, digits = 0, fraction = -1, seen = 0;
        mainstem_u128 high = 0;
        uint64_t chunk = 0, power = 1;
        if (p < end && *p == '-') { negative = 1; p++; }
        for (; p < end; p++) {
            unsigned d = (unsigned)*p - '0';
            if (d > 9) {
                if (*p != '.' || fraction >= 0) return 1;
                fraction = 0;
                continue;
            }
            seen = 1;
            if (fraction >= 0 && ++fraction > scale) return 1;
            if (digits || d) { if (++digits > 38) return 1; }
            chunk = chunk * 10 + d;
            power *= 10;
            if (power == 10000000000000000000ULL) { high = high * power + chunk; chunk = 0; power = 1; }
        }
        if (!seen) return 1;
        high = high * power + chunk;
        if (fraction < 0) fraction = 0;
        for (; fraction < scale; fraction++) {
            if (high > limit / 10) return 1;
            high *= 10;
        }
        if (high >= limit) return 1;
        if (negative) high = (mainstem_u128)0 - high;
        memcpy(out, &high, 16);
        return 0;
    }
    static void mainstem_set_limit(void *at, int precision) {
        mainstem_u128 limit = mainstem_pow10(precision);
        memcpy(at, &limit, 16);
    }
    static int mainstem_decimal_at(const uint8_t *p, int64_t n, const void *at, int scale, uint8_t *out) {
        mainstem_u128 limit;
        memcpy(&limit, at, 16);
        return mainstem_decimal(p, n, limit, scale, out);
    }
    """
    void mainstem_set_limit(void *at, int precision)
    int mainstem_decimal_at(const uint8_t *p, int64_t n, const void *at, int scale, uint8_t *out) nogil


cdef enum:  # mapping.Wire
    W_BOOLEAN = 0
    W_INT = 1
    W_LONG = 2
    W_DECIMAL = 3
    W_FLOAT = 4
    W_DOUBLE = 5
    W_DATE = 6
    W_TIMESTAMP = 7
    W_TIME = 8
    W_TEXT = 9
    W_BYTES = 10

cdef enum:  # decode.Problem
    P_NONE = 0
    P_CALENDAR = 1
    P_RANGE = 2
    P_UTF8 = 3
    P_NULL = 4

cdef enum:
    S_MORE = 0  # the bytes ended before the packet did
    S_FULL = 1  # a batch's worth of rows is there
    S_DONE = 2  # the end-of-result packet was seen
    S_ERROR = 3  # the server sent an error packet
    S_PROBLEM = 4  # a cell cannot be held: `problem` and `column`
    S_BROKEN = 5  # not the protocol
    S_MEMORY = 6

MORE, FULL, DONE, ERROR, PROBLEM, BROKEN = S_MORE, S_FULL, S_DONE, S_ERROR, S_PROBLEM, S_BROKEN

cdef int64_t _WIDTH[11]
_WIDTH[:] = [0, 4, 8, 16, 4, 8, 4, 8, 8, 4, 4]

cdef double _TENS[23]
for _i in range(23):
    _TENS[_i] = 10.0 ** _i

cdef int _DAYS_IN_MONTH[16]
_DAYS_IN_MONTH[:] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0]


cdef struct Col:
    int kind
    int scale
    bint nullable
    int64_t nulls
    uint8_t *values  # fixed-width values, booleans as bits, or 32-bit offsets
    uint8_t *validity  # NULL as long as no NULL was met
    uint8_t *data  # bytes of texts
    int64_t used
    int64_t room
    uint8_t limit[16]  # 10^precision


cdef class _Memory:
    """Owns a malloc'ed block that an Arrow buffer points to."""

    cdef void *block

    def __dealloc__(self):
        free(self.block)


cdef object _buffer(void *block, int64_t size):
    """An Arrow buffer that takes the block over (shrunk to its size)."""
    cdef _Memory owner = _Memory.__new__(_Memory)
    cdef void *shrunk = realloc(block, size if size > 0 else 1)
    owner.block = shrunk if shrunk != NULL else block
    return pa.foreign_buffer(<uint64_t> owner.block, size, base=owner)


cdef class RowDecoder:
    """Feeds on the bytes of a result set, from the first row's packet on."""

    cdef Col *cols
    cdef int width
    cdef int64_t rows, capacity, first_capacity, size, target
    cdef int sequence
    cdef uint8_t *big  # a packet that came in parts (more than 16 MB)
    cdef int64_t big_used
    cdef bint in_big
    cdef public int64_t longest  # bytes of a packet that the server may send: it cannot make longer ones
    cdef readonly int64_t consumed  # bytes of the last feed() that were used up
    cdef readonly int64_t needed  # bytes that the packet under way takes, header included
    cdef readonly int problem, column
    cdef readonly bytes error  # the server's error packet

    def __cinit__(self, kinds, precisions, scales, nullables, int sequence, int64_t target):
        """One entry a column each: Wire, decimal precision and scale, nullable. `sequence`: the number
        that the next packet must have. `target`: bytes of packets that fill a batch."""
        self.width = len(kinds)
        self.cols = <Col *> calloc(self.width + 1, sizeof(Col))
        if self.cols == NULL:
            raise MemoryError
        for i in range(self.width):
            self.cols[i].kind = kinds[i]
            self.cols[i].scale = scales[i]
            self.cols[i].nullable = nullables[i]
            mainstem_set_limit(&self.cols[i].limit, precisions[i])
        self.sequence = sequence
        self.target = target
        self.first_capacity = 1024
        self.longest = 1LL << 32
        self._reset()

    def __dealloc__(self):
        cdef int i
        if self.cols != NULL:
            for i in range(self.width):
                free(self.cols[i].values)
                free(self.cols[i].validity)
                free(self.cols[i].data)
            free(self.cols)
        free(self.big)

    cdef void _reset(self):
        self.rows = 0
        self.capacity = 0
        self.size = 0

    def feed(self, const uint8_t[::1] buffer, int64_t start, int64_t end):
        """Decode the packets in buffer[start:end] until the state changes; the state is returned."""
        cdef int state
        cdef const uint8_t *p = &buffer[0]
        with nogil:
            state = self._parse(p, start, end)
        if state == S_MEMORY:
            raise MemoryError
        return state

    cdef int _parse(self, const uint8_t *p, int64_t at, int64_t end) noexcept nogil:
        cdef int64_t length, begin = at
        cdef int state
        self.consumed = 0
        while True:
            self.needed = 4
            if end - at < 4:
                return S_MORE
            length = p[at] | (p[at + 1] << 8) | (p[at + 2] << 16)
            self.needed = length + 4
            if end - at < self.needed:
                return S_MORE
            if p[at + 3] != self.sequence and not (length > 0 and p[at + 4] == 0xFF):
                return S_BROKEN
            self.sequence = (self.sequence + 1) & 0xFF
            if length == 0xFFFFFF or self.in_big:
                state = self._part(p + at + 4, length)
            else:
                state = self._packet(p + at + 4, length)
            at += length + 4
            self.consumed = at - begin
            if state != S_MORE:
                return state

    cdef int _part(self, const uint8_t *p, int64_t length) noexcept nogil:
        """A packet of 16 MB − 1 byte goes on in the next one (the last one is shorter, perhaps empty)."""
        cdef uint8_t *grown
        cdef int state
        if self.big_used + length > self.longest:
            return S_BROKEN
        grown = <uint8_t *> realloc(self.big, self.big_used + length + 1)
        if grown == NULL:
            return S_MEMORY
        self.big = grown
        memcpy(self.big + self.big_used, p, length)
        self.big_used += length
        self.in_big = length == 0xFFFFFF
        if self.in_big:
            return S_MORE
        state = self._packet(self.big, self.big_used)
        free(self.big)
        self.big = NULL
        self.big_used = 0
        return state

    cdef int _packet(self, const uint8_t *p, int64_t length) noexcept nogil:
        if length == 0:
            return S_BROKEN
        if p[0] == 0xFE and length < 9:
            return S_DONE
        if p[0] == 0xFF:
            with gil:
                self.error = p[:length]
            return S_ERROR
        cdef int state = self._row(p, length)
        if state != S_MORE:
            return state
        self.size += length
        return S_FULL if self.size >= self.target else S_MORE

    cdef int _row(self, const uint8_t *p, int64_t length) noexcept nogil:
        cdef const uint8_t *end = p + length
        cdef uint64_t n
        cdef int i, k, extra, problem
        cdef Col *col
        if self.rows == self.capacity and not self._grow():
            return S_MEMORY
        for i in range(self.width):
            col = &self.cols[i]
            if p >= end:
                return S_BROKEN
            n = p[0]
            p += 1
            if n >= 0xFB:
                if n == 0xFB:
                    problem = self._null(col)
                    if problem == P_NONE:
                        continue
                    if problem < 0:
                        return S_MEMORY
                    self.problem, self.column = problem, i
                    return S_PROBLEM
                extra = 2 if n == 0xFC else 3 if n == 0xFD else 8 if n == 0xFE else 0
                if extra == 0 or end - p < extra:
                    return S_BROKEN
                n = 0
                for k in range(extra):
                    n |= (<uint64_t> p[k]) << (8 * k)
                p += extra
            if n > <uint64_t> (end - p):
                return S_BROKEN
            problem = self._cell(col, p, <int64_t> n)
            if problem != P_NONE:
                if problem < 0:
                    return S_MEMORY
                self.problem, self.column = problem, i
                return S_PROBLEM
            p += n
        if p != end:
            return S_BROKEN
        self.rows += 1
        return S_MORE

    cdef bint _grow(self) noexcept nogil:
        """Room for more rows in every column."""
        cdef int64_t capacity = self.capacity * 2 if self.capacity else self.first_capacity
        cdef int i
        cdef Col *col
        for i in range(self.width):
            col = &self.cols[i]
            if not self._grow_column(col, capacity):
                return False
        self.capacity = capacity
        return True

    cdef bint _grow_column(self, Col *col, int64_t capacity) noexcept nogil:
        cdef int64_t before, after
        cdef uint8_t *grown
        if col.kind == W_BOOLEAN:
            before, after = self.capacity // 8, capacity // 8
        else:
            before = 0
            after = (capacity + 1) * _WIDTH[col.kind]
        grown = <uint8_t *> realloc(col.values, after)
        if grown == NULL:
            return False
        col.values = grown
        if col.kind == W_BOOLEAN:
            memset(grown + before, 0, after - before)
        if col.kind >= W_TEXT and self.capacity == 0:
            (<int32_t *> grown)[0] = 0
        if col.validity != NULL:
            grown = <uint8_t *> realloc(col.validity, capacity // 8)
            if grown == NULL:
                return False
            col.validity = grown
            memset(grown + self.capacity // 8, 0xFF, (capacity - self.capacity) // 8)
        return True

    cdef int _null(self, Col *col) noexcept nogil:
        cdef int64_t row = self.rows
        if not col.nullable:
            return P_NULL
        if col.validity == NULL:
            col.validity = <uint8_t *> malloc(self.capacity // 8)
            if col.validity == NULL:
                return -1
            memset(col.validity, 0xFF, self.capacity // 8)
        col.validity[row >> 3] &= ~(1 << (row & 7))
        col.nulls += 1
        if col.kind >= W_TEXT:
            (<int32_t *> col.values)[row + 1] = <int32_t> col.used
        elif col.kind != W_BOOLEAN:
            memset(col.values + row * _WIDTH[col.kind], 0, _WIDTH[col.kind])
        return P_NONE

    cdef int _cell(self, Col *col, const uint8_t *p, int64_t n) noexcept nogil:
        cdef int64_t row = self.rows, number = 0
        cdef double real = 0
        cdef int kind = col.kind, problem
        if kind >= W_TEXT:
            return self._bytes(col, p, n)
        if kind == W_DECIMAL:
            return P_RANGE if mainstem_decimal_at(p, n, &col.limit, col.scale, col.values + row * 16) else P_NONE
        if kind == W_FLOAT or kind == W_DOUBLE:
            if not _real(p, n, &real):
                return P_RANGE
            if kind == W_DOUBLE:
                (<double *> col.values)[row] = real
                return P_NONE
            (<float *> col.values)[row] = <float> real
            return P_NONE if <double> (<float> real) == real else P_RANGE
        if kind == W_DATE:
            problem = _days(p, n, &number)
            (<int32_t *> col.values)[row] = <int32_t> number
            return problem
        if kind == W_TIMESTAMP:
            return _micros(p, n, &(<int64_t *> col.values)[row])
        if kind == W_TIME:
            return _duration(p, n, &(<int64_t *> col.values)[row])
        if not _integer(p, n, &number):
            return P_RANGE
        if kind == W_LONG:
            (<int64_t *> col.values)[row] = number
            return P_NONE
        if kind == W_INT:
            if number < -2147483648LL or number > 2147483647LL:
                return P_RANGE
            (<int32_t *> col.values)[row] = <int32_t> number
            return P_NONE
        if n != 1 or number < 0 or number > 1:
            return P_RANGE
        if number:
            col.values[row >> 3] |= 1 << (row & 7)
        return P_NONE

    cdef int _bytes(self, Col *col, const uint8_t *p, int64_t n) noexcept nogil:
        cdef int64_t room
        cdef uint8_t *grown
        if col.kind == W_TEXT and not mainstem_utf8(p, n):
            return P_UTF8
        if col.used + n > col.room:
            if col.used + n > 2147483647LL:
                return -1
            room = col.room * 2 if col.room else self.first_capacity * 16
            if room < col.used + n:
                room = col.used + n
            grown = <uint8_t *> realloc(col.data, room)
            if grown == NULL:
                return -1
            col.data, col.room = grown, room
        if n:  # no block may be there yet
            memcpy(col.data + col.used, p, n)
            col.used += n
        (<int32_t *> col.values)[self.rows + 1] = <int32_t> col.used
        return P_NONE

    def take(self, schema):
        """The rows so far as a RecordBatch of that schema; the decoder starts anew."""
        cdef int i
        cdef int64_t rows = self.rows, size
        cdef Col *col
        if rows == 0:
            return None
        arrays = []
        for i in range(self.width):
            col = &self.cols[i]
            validity = None
            if col.validity != NULL:
                validity = _buffer(col.validity, (rows + 7) // 8)
                col.validity = NULL
            size = (rows + 7) // 8 if col.kind == W_BOOLEAN else rows * _WIDTH[col.kind]
            if col.kind >= W_TEXT:
                size += 4
            buffers = [validity, _buffer(col.values, size)]
            col.values = NULL
            if col.kind >= W_TEXT:
                buffers.append(_buffer(col.data, col.used))
                col.data, col.used, col.room = NULL, 0, 0
            arrays.append(pa.Array.from_buffers(schema.field(i).type, rows, buffers, col.nulls))
            col.nulls = 0
        self.first_capacity = (rows + rows // 16 + 63) // 64 * 64
        self._reset()
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


cdef inline bint _integer(const uint8_t *p, int64_t n, int64_t *out) noexcept nogil:
    cdef bint negative = False
    cdef uint64_t number = 0
    cdef unsigned int digit
    cdef int64_t i = 0
    if n > 0 and p[0] == 45:  # '-'
        negative = True
        i = 1
    if i == n or n - i > 19:
        return False
    while i < n:
        digit = <unsigned int> p[i] - 48
        if digit > 9:
            return False
        number = number * 10 + digit
        i += 1
    if number > <uint64_t> 9223372036854775807ULL + negative:
        return False
    out[0] = <int64_t> (0 - number) if negative else <int64_t> number
    return True


cdef inline bint _real(const uint8_t *p, int64_t n, double *out) noexcept nogil:
    """A double from its decimal text, correctly rounded. Up to 15 digits and a power of ten up to 22 one
    multiplication or division is exact (W. D. Clinger, 1990); other texts go to strtod."""
    cdef uint64_t mantissa = 0
    cdef int64_t i = 0
    cdef int digits = 0, point = -1, exponent = 0, power = 0
    cdef unsigned int digit
    cdef bint negative = False, negative_power = False
    cdef char text[400]
    cdef char *stop
    if n > 0 and p[0] == 45:
        negative = True
        i = 1
    while i < n:
        digit = <unsigned int> p[i] - 48
        if digit <= 9:
            if mantissa or digit:
                digits += 1
            if digits <= 19:
                mantissa = mantissa * 10 + digit
            if point >= 0:
                point += 1
        elif p[i] == 46 and point < 0:
            point = 0
        else:
            break
        i += 1
    if i == negative or (point >= 0 and i == negative + 1):
        return False
    if i < n:
        if p[i] != 101:  # 'e'
            return False
        i += 1
        if i < n and (p[i] == 45 or p[i] == 43):
            negative_power = p[i] == 45
            i += 1
        if i == n or n - i > 4:
            return False
        while i < n:
            digit = <unsigned int> p[i] - 48
            if digit > 9:
                return False
            power = power * 10 + digit
            i += 1
    exponent = (-power if negative_power else power) - (point if point > 0 else 0)
    if digits <= 15 and -22 <= exponent <= 22:
        out[0] = <double> mantissa / _TENS[-exponent] if exponent < 0 else <double> mantissa * _TENS[exponent]
        if negative:
            out[0] = -out[0]
        return True
    if n >= 400:
        return False
    memcpy(text, p, n)
    text[n] = 0
    out[0] = mainstem_strtod(text, &stop)
    return stop == text + n and out[0] - out[0] == 0


cdef inline int _two(const uint8_t *p) noexcept nogil:
    """Two digits, or -1."""
    cdef unsigned int a = <unsigned int> p[0] - 48, b = <unsigned int> p[1] - 48
    return -1 if a > 9 or b > 9 else <int> (a * 10 + b)


cdef inline int _days(const uint8_t *p, int64_t n, int64_t *out) noexcept nogil:
    """Days since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms")."""
    cdef int high, low, month, day, last
    cdef int64_t year, era, of_era, of_year
    if n != 10 or p[4] != 45 or p[7] != 45:
        return P_CALENDAR
    high, low, month, day = _two(p), _two(p + 2), _two(p + 5), _two(p + 8)
    if high < 0 or low < 0 or month < 1 or month > 12 or day < 1:
        return P_CALENDAR
    year = high * 100 + low
    last = _DAYS_IN_MONTH[month]
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        last = 29
    if year < 1 or day > last:
        return P_CALENDAR
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    out[0] = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return P_NONE


cdef inline int _clock(const uint8_t *p, int64_t n, int64_t hours, int64_t *out) noexcept nogil:
    """':MM:SS' and up to six digits of fraction after the hours → microseconds."""
    cdef int minutes, seconds
    cdef int64_t fraction = 0, unit = 100000
    cdef unsigned int digit
    if n < 6 or p[0] != 58 or p[3] != 58:
        return P_RANGE
    minutes, seconds = _two(p + 1), _two(p + 4)
    if minutes < 0 or minutes > 59 or seconds < 0 or seconds > 59:
        return P_RANGE
    if n > 6:
        if p[6] != 46 or n > 13 or n == 7:
            return P_RANGE
        for i in range(7, n):
            digit = <unsigned int> p[i] - 48
            if digit > 9:
                return P_RANGE
            fraction += digit * unit
            unit = unit // 10
    out[0] = ((hours * 60 + minutes) * 60 + seconds) * 1000000 + fraction
    return P_NONE


cdef inline int _micros(const uint8_t *p, int64_t n, int64_t *out) noexcept nogil:
    cdef int64_t days = 0, clock = 0
    cdef int hours
    if n < 19 or p[10] != 32:
        return P_CALENDAR
    hours = _two(p + 11)
    if hours < 0 or hours > 23 or _days(p, 10, &days) != P_NONE:
        return P_CALENDAR
    if _clock(p + 13, n - 13, hours, &clock) != P_NONE:
        return P_CALENDAR
    out[0] = days * 86400000000LL + clock
    return P_NONE


cdef inline int _duration(const uint8_t *p, int64_t n, int64_t *out) noexcept nogil:
    """'-838:59:59.999999' → microseconds."""
    cdef bint negative = n > 0 and p[0] == 45
    cdef int64_t hours = 0, i = 0
    cdef unsigned int digit
    if negative:
        p += 1
        n -= 1
    while i < n and p[i] != 58:
        digit = <unsigned int> p[i] - 48
        if digit > 9 or i > 3:
            return P_RANGE
        hours = hours * 10 + digit
        i += 1
    if i < 2 or i > 3 or _clock(p + i, n - i, hours, out) != P_NONE:
        return P_RANGE
    if negative:
        out[0] = -out[0]
    return P_NONE
