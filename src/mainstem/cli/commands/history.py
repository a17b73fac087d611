"""`mainstem runs`, `mainstem releases` and `mainstem rollback`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from mainstem import wiring
from mainstem.cli import console
from mainstem.cli.commands.common import Output, OutputOption, open_project
from mainstem.text import count, size


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(runs)
    app.command()(releases)
    app.command()(rollback)


def runs(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="One run's receipt; latest: the newest.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the receipts of all runs, or show one."""
    from mainstem.run import receipt as receipts

    project = open_project(context.obj)
    if run:
        receipt = receipts.read_one(project.state, run)
        if output is Output.JSON:
            console.write(json.dumps(receipt, indent=1, ensure_ascii=False))
        else:
            _show_receipt(receipt)
        return
    every = receipts.read_all(project.state)
    if output is Output.JSON:
        console.write(json.dumps(every, ensure_ascii=False))
    elif not every:
        console.note("no run yet")
    else:
        columns = ("run", "status", "release", "seconds", "rows", "read", "errors")
        rows = [
            (
                r["run"],
                r["status"],
                r["release"],
                r.get("seconds") or "",
                _rows(r),
                _read(r),
                len(r["errors"]) or "",
            )
            for r in every
        ]
        _table(columns, rows)


def _rows(receipt: dict[str, Any]) -> str:
    return f"{sum(table['rows'] for table in receipt['tables']):,}"


def _read(receipt: dict[str, Any]) -> str:
    reading = receipt.get("reading")
    return size(reading["actual"]) if reading and reading["actual"] is not None else ""


def _reading(receipt: dict[str, Any]) -> str:
    """Bytes read, beside the estimate; empty for a receipt of an earlier version."""
    reading = receipt.get("reading")
    if not reading or reading["actual"] is None:
        return ""
    if reading["estimated"] is None:
        return f"read {size(reading['actual'])}; the sources did not say how much it would be"
    more = reading["difference"]
    sign = "+" if more >= 0 else "−"
    told = f"at most ~{size(reading['estimated'])} estimated, {sign}{size(abs(more))}"
    return f"read {size(reading['actual'])} from the sources ({told})"


def _show_receipt(receipt: dict[str, Any]) -> None:
    head = f"run {receipt['run']}: {receipt['status']}, release {receipt['release'] or 'none'}"
    console.out().print(head, style="bold", markup=False)
    _table(
        ("table", "status", "rows", "size", "seconds", "proof"),
        [
            (t["table"], t["status"], f"{t['rows']:,}", size(t["bytes"]), t["seconds"], t["text"])
            for t in receipt["tables"]
        ],
    )
    if told := _reading(receipt):
        console.out().print(told, markup=False)
    for model in receipt["models"]:
        console.out().print(
            f"\n{model['table']}: {model['status']}, {count(model['rows'], 'row')}", markup=False
        )
        for proof in model["proofs"]:
            mark = "✓" if proof["holds"] else "!" if proof.get("warning") else "✗"
            console.out().print(f"  {mark} {proof['name']}: {proof['text']}", markup=False)
    for error in receipt["errors"]:
        console.out().print(f"error: {error['message']}", style="red", markup=False)


def releases(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List the releases that can be read; * marks the current one."""
    project = open_project(context.obj)
    lake = wiring.open_lake(project)
    current = lake.current_release()
    every = lake.releases()
    if output is Output.JSON:
        value = [
            {
                "id": release.id,
                "current": bool(current and release.id == current.id),
                "run": release.run,
                "published": release.published.isoformat(),
                "tables": {
                    str(name): {
                        "snapshot": pin.snapshot_id,
                        "metadata": pin.metadata_location,
                        "rows": pin.rows,
                    }
                    for name, pin in release.tables.items()
                },
            }
            for release in every
        ]
        console.write(json.dumps(value, indent=1, ensure_ascii=False))
    elif not every:
        console.note("no release yet")
    else:
        rows = [
            (
                "*" if current and release.id == current.id else "",
                release.id,
                f"{release.published:%Y-%m-%d %H:%M:%S} UTC",
                release.run,
                len(release.tables),
                "; ".join((release.proof.get("headlines") or {}).values()),
            )
            for release in every
        ]
        _table(("", "release", "published", "run", "tables", "proof"), rows)


def rollback(
    context: typer.Context,
    release: Annotated[
        str, typer.Argument(metavar="RELEASE", help="The one to go back to. [default: the one before]")
    ] = "",
) -> None:
    """Let readers see an earlier release again, at once."""
    from mainstem.errors import UsageError

    project = open_project(context.obj)
    lake = wiring.open_lake(project)
    with lake.run_lock("mainstem rollback", 0.0):
        current = wiring.current_release(lake)
        if not release:
            older = [one for one in lake.releases() if one.id < current.id]
            if not older:
                raise UsageError(
                    f"{current.id} is the oldest release that is kept", hint="mainstem releases lists them"
                )
            release = older[0].id
        back = lake.rollback(release)
    console.out().print(f"{back.id} is current (it was {current.id})")


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    right = ("rows", "size", "seconds", "tables", "read", "errors")
    whole = ("run", "release")  # to be copied: a name in two lines is none
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        shown.add_column(name, justify=justify, overflow="fold", no_wrap=name in whole)
    for row in rows:
        shown.add_row(*(Text(str(value)) for value in row))
    console.out().print(shown)
