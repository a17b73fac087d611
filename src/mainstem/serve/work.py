"""Statements in threads of their own: bounded in number and time, ended when the reader goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import duckdb

from mainstem.errors import Transient

T = TypeVar("T")

_AGAIN = 0.05  # seconds between interrupts: one that comes before the statement starts has no effect


class Busy(Transient):
    """All places for statements are taken."""


class Slots:
    """Places for statements; a place is free again when its thread has ended, not when its reader left."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)

    def take(self) -> None:
        """Raises Busy at once if there is none."""
        if not self._free.acquire(blocking=False):
            raise Busy("too many queries are running", hint="try again in a moment")

    def give(self) -> None:
        self._free.release()


async def run_bounded(
    work: Callable[[], T], cursor: duckdb.DuckDBPyConnection, seconds: float, gone: Awaitable[None]
) -> T:
    """The result of `work`, whose statement runs on `cursor`; interrupted after `seconds`, when `gone`
    comes true or when the server stops. `work` then ends with DuckDB's InterruptException, or its own."""
    worker = _in_thread(work)
    left = asyncio.ensure_future(gone)
    try:
        pending: set[asyncio.Future[Any]] = {worker, left}
        await asyncio.wait(pending, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        while not worker.done():
            _interrupt(cursor)
            await asyncio.wait({worker}, timeout=_AGAIN)
        return worker.result()
    except asyncio.CancelledError:
        _interrupt(cursor)
        raise
    finally:
        left.cancel()
        with suppress(asyncio.CancelledError):
            await left


def _interrupt(cursor: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.ConnectionException):  # closed: the work has just ended
        cursor.interrupt()


def _in_thread(work: Callable[[], T]) -> asyncio.Future[T]:
    # A daemon thread, not the pool: a statement that does not heed its interrupt must not hold the exit.
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def body() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - handed to the waiting side, whatever it is
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=body, name="mainstem-sql", daemon=True).start()
    return future
