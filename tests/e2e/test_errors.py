"""One project with an error of every kind: all are told at once, each at its file and line."""

from __future__ import annotations

from pathlib import Path

from e2e.conftest import Workplace

FILES = {
    "models/a_syntax.sql": "select 1 as a\nfrom raw.orders where (",
    "models/b_table.sql": "select *\nfrom raw.order",
    "models/c_column.sql": "select\n    order_numbr\nfrom raw.orders",
    "models/d_cycle.sql": "select * from e_cycle",
    "models/e_cycle.sql": "select * from d_cycle",
    "models/sub/dim_customers.sql": "select 1 as a",
    "models/f_header.sql": "/* mainstem\nkind: fact\ngrains: {table: raw.orders}\n*/\nselect 1 as a",
    "models/g_reader.sql": "select * from c_column join a_syntax using (a)",
    "dashboards/h.yml": "dashboard: h\nmodel: fact_payments\nmeasures:\n  x: {sum: amunt}\n"
    "dimensions: {}\nlayout:\n- - {kpi: x}\n",
    "requirements.yml": "requirements:\n- {who: me, what: all}\n- {who: me, what: all,\n   decide: much}\n",
}
EXPECTED = [
    ("models/a_syntax.sql:2", ""),
    ("models/b_table.sql:2: there is no source table raw.order", "raw.orders"),
    ("models/c_column.sql:2", "order_number"),
    ("models/d_cycle.sql:1: the models form a cycle: d_cycle reads e_cycle reads d_cycle", ""),
    ("models/sub/dim_customers.sql:1", "models/dim_customers.sql"),
    ("models/f_header.sql:3", "grain"),
    ("dashboards/h.yml:4", "amount"),
    ("requirements.yml:4", "decides"),
]


def test_all_errors_at_once(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.well("demo", "--no-serve", "--dir", "shop")
    place.root = tmp_path / "shop"
    for name, text in FILES.items():
        path = place.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for command in ("plan", "run"):
        done = place.call(command)
        assert done.returncode == 2
        blocks = done.stderr.split("error: ")[1:]
        for place_and_text, hint in EXPECTED:
            told = [block for block in blocks if block.startswith(place_and_text)]
            assert len(told) == 1, (place_and_text, done.stderr)
            assert hint in told[0]
        assert len(blocks) == len(EXPECTED), "what reads a broken model is not reported as well"
    assert place.rows("select count(*) as n from dim_customers") == [{"n": 401}], "releases stay readable"
