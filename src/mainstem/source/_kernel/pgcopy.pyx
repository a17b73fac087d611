# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rows of PostgreSQL's binary COPY → Arrow buffers, without Python objects and without the GIL.

The reference for every value and every refusal is `mainstem.source.postgres.decode`; a differential test
holds the two together.
"""

from libc.stdint cimport INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

import pyarrow as pa

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    typedef unsigned __int128 mainstem_u128;

    static inline int32_t mainstem_be16(const uint8_t *p) { return (int16_t)((p[0] << 8) | p[1]); }

    static inline int32_t mainstem_be32(const uint8_t *p) {
        uint32_t v;
        memcpy(&v, p, 4);
        return (int32_t)__builtin_bswap32(v);
    }

    static inline int64_t mainstem_be64(const uint8_t *p) {
        uint64_t v;
        memcpy(&v, p, 8);
        return (int64_t)__builtin_bswap64(v);
    }

    static const uint32_t mainstem_small[5] = {1, 10, 100, 1000, 10000};

    static mainstem_u128 mainstem_power(int exponent) {
        mainstem_u128 value = 1;
        while (exponent-- > 0) value *= 10;
        return value;
    }

    /* numeric_send (numeric.c) as a decimal128 of that scale; `limit` is ten to the precision, at most
       10^38. 0, or the reason of a misfit: 1 not finite, 2 too many digits, 7 malformed. */
    static int mainstem_numeric(
        const uint8_t *p, int32_t length, int scale, const mainstem_u128 *limit, uint8_t *out
    ) {
        if (length < 8) return 7;
        int32_t count = mainstem_be16(p), weight = mainstem_be16(p + 2);
        int32_t sign = mainstem_be16(p + 4) & 0xFFFF;
        if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000) return 1;
        if ((sign != 0 && sign != 0x4000) || count < 0 || length != 8 + 2 * count) return 7;
        const mainstem_u128 room = *limit / 10000;
        mainstem_u128 number = 0;
        int32_t exponent = 0; /* of the last group, in units of the scale */
        for (int32_t i = 0; i < count; i++) {
            uint32_t group = (uint32_t)mainstem_be16(p + 8 + 2 * i) & 0xFFFF;
            exponent = (weight - i) * 4 + scale;
            if (exponent >= 0) {
                if (number > room) return 2;
                number = number * 10000 + group;
            } else if (exponent > -4) {
                uint32_t part = mainstem_small[-exponent];
                if (group % part) return 2;
                if (number > *limit / mainstem_small[4 + exponent]) return 2;
                number = number * mainstem_small[4 + exponent] + group / part;
            } else if (group) {
                return 2;
            }
        }
        if (exponent > 0 && number) {
            if (exponent > 38) return 2;
            mainstem_u128 factor = mainstem_power(exponent);
            if (number > *limit / factor) return 2;
            number *= factor;
        }
        if (number >= *limit) return 2;
        if (sign) number = -number;
        memcpy(out, &number, 16);
        return 0;
    }
    """
    ctypedef struct mainstem_u128:
        pass
    int32_t mainstem_be16(const uint8_t *p) nogil
    int32_t mainstem_be32(const uint8_t *p) nogil
    int64_t mainstem_be64(const uint8_t *p) nogil
    mainstem_u128 mainstem_power(int exponent) nogil
    int mainstem_numeric(
        const uint8_t *p, int32_t length, int scale, const mainstem_u128 *limit, uint8_t *out
    ) nogil

# Codes of the lake's types; `KERNEL_CODES` in `decode.py` has the same.
cdef enum:
    BOOLEAN = 0
    INT = 1
    LONG = 2
    DECIMAL = 3
    FLOAT = 4
    DOUBLE = 5
    STRING = 6
    BINARY = 7
    DATE = 8
    TIMESTAMP = 9
    PADDED = 10  # a string whose trailing blanks do not count

# Reasons of a misfit; `Reason` in `misfit.py` has the same.
cdef enum:
    INFINITE_DATE = 3
    DATE_RANGE = 4
    NULL_VALUE = 5
    MALFORMED = 7

cdef enum:
    PATIENCE = 50  # milliseconds without a byte after which Python looks at the clock

cdef int32_t DAYS_TO_2000 = 10957
cdef int64_t MICROS_TO_2000 = 946684800000000
cdef int64_t FIRST_DAY = -719162
cdef int64_t LAST_DAY = 2932896
cdef int64_t DAY_MICROS = 86400000000

cdef struct Column:
    int code
    int scale
    int nullable
    int width  # bytes of a value; 0 for bits and for texts
    mainstem_u128 limit
    int64_t nulls
    uint8_t *valid
    int64_t valid_bytes
    uint8_t *values  # the values, or the offsets of a text
    int64_t values_bytes
    uint8_t *data  # the bytes of a text
    int64_t data_bytes


ctypedef int (*_GetCopyData)(void *connection, char **buffer, int asynchronous) noexcept nogil
ctypedef void (*_FreeMemory)(void *block) noexcept nogil
ctypedef int (*_ConsumeInput)(void *connection) noexcept nogil

cdef extern from "<poll.h>" nogil:
    ctypedef unsigned long nfds_t
    cdef struct pollfd:
        int fd
        short events
        short revents
    short POLLIN
    int poll(pollfd *fds, nfds_t count, int milliseconds)


cdef class Fetcher:
    """Collects the rows that libpq receives, through libpq's own functions: one call for about `size` bytes
    instead of a Python call a row and another for each few kilobytes from the socket. `functions`: the
    addresses of PQgetCopyData, PQconsumeInput and PQfreemem."""

    cdef void *connection
    cdef _GetCopyData get_copy_data
    cdef _ConsumeInput consume_input
    cdef _FreeMemory free_memory
    cdef pollfd socket
    cdef char *block
    cdef int64_t capacity
    cdef int64_t used
    cdef int64_t size

    def __cinit__(self, size_t connection, int socket, functions, int64_t size):
        cdef size_t get_copy_data, consume_input, free_memory
        get_copy_data, consume_input, free_memory = functions
        self.connection = <void *> connection
        self.get_copy_data = <_GetCopyData> get_copy_data
        self.consume_input = <_ConsumeInput> consume_input
        self.free_memory = <_FreeMemory> free_memory
        self.socket.fd = socket
        self.socket.events = POLLIN
        self.size = size
        self.capacity = 2 * size
        self.used = 0
        self.block = <char *> malloc(self.capacity)
        if self.block == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.block)

    def fetch(self):
        """1 when `size` bytes have come together; 0 when nothing has come for `PATIENCE`; -1 at the end, -2
        after an error."""
        cdef int count
        with nogil:
            count = self._fetch()
        if count == -3:
            raise MemoryError()
        return count

    def take(self):
        """The bytes that have come together since the last time."""
        cdef object taken = PyBytes_FromStringAndSize(self.block, self.used)
        self.used = 0
        return taken

    cdef int _fetch(self) noexcept nogil:
        cdef char *row
        cdef void *grown
        cdef int count
        while self.used < self.size:
            row = NULL
            count = self.get_copy_data(self.connection, &row, 1)
            if count == 0:
                if poll(&self.socket, 1, PATIENCE) <= 0:
                    return 0
                if not self.consume_input(self.connection):
                    return -2
                continue
            if count < 0:
                return count
            if self.used + count > self.capacity:
                grown = realloc(self.block, self.used + count)
                if grown == NULL:
                    self.free_memory(row)
                    return -3
                self.block = <char *> grown
                self.capacity = self.used + count
            memcpy(self.block + self.used, row, count)
            self.used += count
            self.free_memory(row)
        return 1


cdef class _Memory:
    """Frees a block when the last Arrow buffer on it is gone."""

    cdef void *block

    def __cinit__(self):
        self.block = NULL

    def __dealloc__(self):
        free(self.block)


cdef inline bint _is_text(int code) noexcept nogil:
    return code == STRING or code == BINARY or code == PADDED


cdef int _grow(uint8_t **block, int64_t *capacity, int64_t needed) except -1:
    if needed <= capacity[0]:
        return 0
    cdef int64_t size = max(needed, capacity[0] + capacity[0] // 2)
    cdef void *grown = realloc(block[0], size)
    if grown == NULL:
        raise MemoryError()
    block[0] = <uint8_t *> grown
    capacity[0] = size
    return 0


cdef object _given(uint8_t **block, int64_t *capacity, int64_t size):
    """The block as an Arrow buffer of `size` bytes that owns it."""
    cdef _Memory memory = _Memory()
    cdef void *shrunk = realloc(block[0], max(size, 1))
    memory.block = shrunk if shrunk != NULL else block[0]
    block[0] = NULL
    capacity[0] = 0
    return pa.foreign_buffer(<size_t> memory.block, size, memory)


cdef inline void _set_bit(uint8_t *bits, int64_t index, int value) noexcept nogil:
    cdef uint8_t mask = <uint8_t> (1 << (index & 7))
    bits[index >> 3] = (bits[index >> 3] & ~mask) | (mask if value else 0)


cdef class Kernel:
    """Decodes whole rows into buffers. `columns`: (code, precision, scale, nullable) of each."""

    cdef readonly int64_t rows
    cdef readonly bint done
    cdef Column *columns
    cdef int count

    def __cinit__(self, columns):
        self.rows = 0
        self.done = False
        self.count = len(columns)
        self.columns = <Column *> calloc(max(self.count, 1), sizeof(Column))
        if self.columns == NULL:
            raise MemoryError()
        widths = {INT: 4, LONG: 8, DECIMAL: 16, FLOAT: 4, DOUBLE: 8, DATE: 4, TIMESTAMP: 8}
        for i, (code, precision, scale, nullable) in enumerate(columns):
            self.columns[i].code = code
            self.columns[i].scale = scale
            self.columns[i].nullable = nullable
            self.columns[i].width = widths.get(code, 0)
            self.columns[i].limit = mainstem_power(precision)

    def __dealloc__(self):
        cdef int i
        if self.columns == NULL:
            return
        for i in range(self.count):
            free(self.columns[i].valid)
            free(self.columns[i].values)
            free(self.columns[i].data)
        free(self.columns)

    def decode(self, bytes data, int64_t start):
        """Decode the rows of `data` from `start` on, as far as they are complete.

        Returns where the next row begins, and column and reason of a misfit (0, 0: none)."""
        cdef const uint8_t *block = data
        cdef int64_t size = len(data), position = start
        cdef int column = 0, reason
        self._reserve(size - start)
        with nogil:
            reason = self._rows(block, size, &position, &column)
        return position, column, reason

    def take(self):
        """The buffers of each column ([validity, values] or [validity, offsets, bytes]) for `rows`
        rows; the kernel is empty afterwards."""
        cdef Column *c
        cdef int i
        cdef int64_t used
        taken = []
        self._reserve(0)
        for i in range(self.count):
            c = &self.columns[i]
            valid = _given(&c.valid, &c.valid_bytes, (self.rows + 7) // 8) if c.nulls else None
            c.nulls = 0
            if _is_text(c.code):
                used = (<int32_t *> c.values)[self.rows]
                offsets = _given(&c.values, &c.values_bytes, (self.rows + 1) * 4)
                taken.append([valid, offsets, _given(&c.data, &c.data_bytes, used)])
            elif c.code == BOOLEAN:
                taken.append([valid, _given(&c.values, &c.values_bytes, (self.rows + 7) // 8)])
            else:
                taken.append([valid, _given(&c.values, &c.values_bytes, self.rows * c.width)])
        self.rows = 0
        return taken

    cdef int _reserve(self, int64_t size) except -1:
        """Room for whatever `size` bytes of rows can hold."""
        cdef int64_t rows = self.rows + size // (2 + 4 * max(self.count, 1)) + 1
        cdef Column *c
        cdef int i
        for i in range(self.count):
            c = &self.columns[i]
            _grow(&c.valid, &c.valid_bytes, rows // 8 + 1)
            if _is_text(c.code):
                fresh = c.values == NULL
                _grow(&c.values, &c.values_bytes, (rows + 1) * 4)
                if fresh:
                    (<int32_t *> c.values)[0] = 0
                _grow(&c.data, &c.data_bytes, (<int32_t *> c.values)[self.rows] + size + 1)
            elif c.code == BOOLEAN:
                _grow(&c.values, &c.values_bytes, rows // 8 + 1)
            else:
                _grow(&c.values, &c.values_bytes, rows * c.width)
        return 0

    cdef int _rows(self, const uint8_t *block, int64_t size, int64_t *start, int *column) noexcept nogil:
        cdef int64_t position
        cdef int32_t fields, length
        cdef int i, reason
        cdef Column *c
        while True:
            # A row that is not complete is written again from its first field: nothing counts before
            # `rows` does.
            position = start[0]
            if size - position < 2:
                return 0
            fields = mainstem_be16(block + position)
            position += 2
            if fields == -1:
                self.done = True
                start[0] = position
                return 0
            if fields != self.count:
                return MALFORMED
            for i in range(self.count):
                if size - position < 4:
                    return 0
                length = mainstem_be32(block + position)
                position += 4
                c = &self.columns[i]
                if length == -1:
                    if not c.nullable:
                        column[0] = i
                        return NULL_VALUE
                    _null(c, self.rows)
                    continue
                if length < 0:
                    return MALFORMED
                if size - position < length:
                    return 0
                reason = _value(c, self.rows, block + position, length)
                if reason:
                    column[0] = i
                    return reason
                position += length
            self.rows += 1
            start[0] = position


cdef void _null(Column *c, int64_t row) noexcept nogil:
    c.nulls += 1  # an upper bound suffices: above zero, the bits are handed over
    _set_bit(c.valid, row, 0)
    if _is_text(c.code):
        (<int32_t *> c.values)[row + 1] = (<int32_t *> c.values)[row]
    elif c.code == BOOLEAN:
        _set_bit(c.values, row, 0)
    else:
        memset(c.values + row * c.width, 0, c.width)


cdef int _value(Column *c, int64_t row, const uint8_t *p, int32_t length) noexcept nogil:
    cdef int32_t offset
    cdef int64_t number
    _set_bit(c.valid, row, 1)
    if _is_text(c.code):
        while c.code == PADDED and length and p[length - 1] == 32:
            length -= 1
        offset = (<int32_t *> c.values)[row]
        if length > INT32_MAX - offset:  # no server of PostgreSQL sends as much
            return MALFORMED
        memcpy(c.data + offset, p, length)
        (<int32_t *> c.values)[row + 1] = offset + length
        return 0
    if c.code == DECIMAL:
        return mainstem_numeric(p, length, c.scale, &c.limit, c.values + row * 16)
    if c.code == BOOLEAN:
        if length != 1:
            return MALFORMED
        _set_bit(c.values, row, p[0] != 0)
        return 0
    if length != c.width:
        return MALFORMED
    if c.code == DATE:
        number = mainstem_be32(p)
        if number == INT32_MAX or number == INT32_MIN:
            return INFINITE_DATE
        number += DAYS_TO_2000
        if number < FIRST_DAY or number > LAST_DAY:
            return DATE_RANGE
        (<int32_t *> c.values)[row] = <int32_t> number
        return 0
    if c.width == 4:
        (<int32_t *> c.values)[row] = mainstem_be32(p)
        return 0
    number = mainstem_be64(p)
    if c.code == TIMESTAMP:
        if number == INT64_MAX or number == INT64_MIN:
            return INFINITE_DATE
        # Compared before the shift to 1970, which could overflow.
        if number < FIRST_DAY * DAY_MICROS - MICROS_TO_2000:
            return DATE_RANGE
        if number >= (LAST_DAY + 1) * DAY_MICROS - MICROS_TO_2000:
            return DATE_RANGE
        number += MICROS_TO_2000
    (<int64_t *> c.values)[row] = number
    return 0
