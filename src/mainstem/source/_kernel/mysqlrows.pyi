from collections.abc import Sequence

import pyarrow as pa

MORE: int
FULL: int
DONE: int
ERROR: int
PROBLEM: int
BROKEN: int

class RowDecoder:
    longest: int
    consumed: int
    needed: int
    problem: int
    column: int
    error: bytes
    def __init__(
        self,
        kinds: Sequence[int],
        precisions: Sequence[int],
        scales: Sequence[int],
        nullables: Sequence[bool],
        sequence: int,
        target: int,
    ) -> None: ...
    def feed(self, buffer: bytearray | memoryview, start: int, end: int) -> int: ...
    def take(self, schema: pa.Schema) -> pa.RecordBatch | None: ...
