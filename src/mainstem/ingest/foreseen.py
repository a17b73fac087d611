"""What a load will ask its source in any case: asked at once, while this machine has other things to do."""

from __future__ import annotations

import json
from concurrent.futures import Future

from mainstem.contract import reconcile
from mainstem.contract.canonical import SourceDialect
from mainstem.ingest.ahead import Ahead
from mainstem.ingest.since import level
from mainstem.ingest.terms import live_rows
from mainstem.ingest.values import Load
from mainstem.ingest.witness import Witness, is_compared
from mainstem.lake import Lake
from mainstem.project.config import ProofLevel
from mainstem.source.port import NON_TRANSACTIONAL


def foresee(
    load: Load, dialect: SourceDialect, snapshot: Ahead, lake: Lake, witness: Witness | None, worth: int
) -> Future[int] | None:
    """Ask the snapshot for the number of rows or the fingerprint, as `Loader.begin` will. With `changes` the
    number of a table's rows is asked of the witness, from `worth` rows on: what it will say is returned."""
    proof, table = level(load, lake, snapshot), load.table
    if table.name in json.loads(snapshot.position.get(NON_TRANSACTIONAL, "[]")):
        return None  # it is asked about just before it is read
    rows = live_rows(dialect, table, load.terms.deleted)
    count = reconcile.row_count_sql(rows, table)
    beside = proof is ProofLevel.CHANGES and table.rows >= worth
    if witness and beside and (asked := witness.count(count, snapshot.position)):
        return asked
    if proof in (ProofLevel.COUNT, ProofLevel.CHANGES):
        snapshot.ask(count)
    elif proof is ProofLevel.FULL and (witness is None or is_compared(load)):
        snapshot.ask(reconcile.fingerprint_sql(rows, table, reconcile.forms(dialect, table)))
    return None
