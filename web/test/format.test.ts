import assert from "node:assert/strict";
import { test } from "node:test";
import { parseColumn, toGrid } from "../src/answers.js";
import { areas, barRows, Colors } from "../src/charts/shape.js";
import { headline, numberFormat, textAt, valueAt } from "../src/format.js";
import { columnsOf, layout, related } from "../src/lineage.js";
import { referred } from "../src/pages/catalog.js";
import { csvCell } from "../src/pages/sql.js";
import type { Grid, Key, MeasureSpec } from "../src/types.js";

const money = numberFormat("$,.2f", "sum");
const revenue: MeasureSpec = { name: "revenue", label: "Revenue", kind: "sum", format: "$,.2f" };
const price: MeasureSpec = { name: "price", label: "Price", kind: "average", of: ["s", "c"] };

test("exact figures lose no digit, negative ones have a real minus", () => {
  assert.equal(money.exact(960_419_061, 2), "$9,604,190.61");
  assert.equal(money.exact(-5, 2), "−$0.05");
  assert.equal(money.exact(9_007_199_254_740_991, 2), "$90,071,992,547,409.91");
  assert.equal(numberFormat(",d", "count").exact(2996, 0), "2,996");
  assert.equal(numberFormat("$.3s", "sum").exact(960_419_061, 2), "$9,604,190.61");
  assert.equal(numberFormat(",.0f", "sum").exact(960_419_061, 2), "9,604,190.61");
  assert.equal(money.exact(NaN, 2), "–");
});

test("short figures and other currencies", () => {
  assert.deepEqual([3.15e9, 1.04e6, 12_345, 999, 0, -2.5e6].map(money.compact), ["$3.15B", "$1.04M", "$12.3K", "$999", "$0", "−$2.50M"]);
  assert.equal(numberFormat("€,.2f", "sum").plain(1234.5), "€1,234.50");
  assert.equal(numberFormat(",.2f €", "sum").plain(-1234.5), "−1,234.50 €");
  assert.equal(numberFormat(",.2f €", "sum").exact(123_450, 2), "1,234.50 €");
  assert.equal(numberFormat("$.3s", "sum").plain(9_604_190), "$9.60M");
  assert.equal(numberFormat(".1%", "ratio").compact(0.1234), "12.3%");
  assert.equal(numberFormat("nonsense!!", "sum").plain(1.5), "1.50");
  assert.deepEqual([0, 2e5, 1e6].map(money.tick), ["$0", "$200K", "$1M"]);
  assert.equal(headline(1_094_768, { name: "n", label: "", kind: "count" }, numberFormat(",d", "count")), "1,094,768");
  assert.equal(headline(2879.4, revenue, money), "$2,879.40");
});

function grid(keys: readonly Key[], columns: Record<string, number[]>, cells: number[], days: number[] = []): Grid {
  const axes = days.length > 0 ? [{ cut: { dimension: "d" }, keys: [], days }] : [];
  if (keys.length > 0) axes.push({ cut: { dimension: "k" }, keys: keys as never[], days: [] });
  const named = Object.entries(columns).map(([name, raw]) => [name, { raw: Float64Array.from(raw), scale: 2, exact: true }] as const);
  return { axes, cells: Float64Array.from(cells), columns: new Map(named) };
}

test("nothing, zero and a division by zero differ", () => {
  const made = grid(["a", "b", "c"], { revenue: [0, 0, 5], s: [0, 0, 300], c: [0, 0, 200] }, [0, 1, 2]);
  assert.ok(Number.isNaN(valueAt(made, revenue, 0)));
  assert.equal(textAt(made, revenue, money, 0), "–");
  assert.equal(textAt(made, revenue, money, 1), "$0.00");
  assert.ok(Number.isNaN(valueAt(made, price, 1)));
  assert.equal(valueAt(made, price, 2), 1.5);
});

test("bars: the largest, those chosen, and what the others come to", () => {
  const made = grid(["a", "b", null, "d", "e"], { revenue: [100, 500, 300, 200, 0] }, [1, 1, 1, 1, 0]);
  const { rows, others, rest } = barRows(made, revenue, money, 2, undefined);
  assert.deepEqual(rows.map((row) => row.label), ["b", "Unknown"]);
  assert.deepEqual([others, rest], [2, 3]);
  const chosen = barRows(made, revenue, money, 2, { kind: "in", values: ["a", "e"] });
  assert.deepEqual(chosen.rows.map((row) => row.key), ["b", null, "a", "e"]);
  assert.deepEqual([chosen.others, chosen.rest], [1, 2]);
});

test("areas: stacked by size, negatives below zero, colours from the whole", () => {
  const made = grid(["a", "b"], { revenue: [100, 300, -100, 500] }, [1, 1, 1, 1], [0, 31]);
  const colors = new Colors(made, revenue, 1);
  assert.deepEqual(colors.order, ["b", "a"]);
  const { series, totals, min, max } = areas(made, revenue, colors);
  assert.deepEqual(series.map((each) => [each.label, each.low, each.high]), [["b", [0, 0], [3, 5]], ["a", [3, 0], [4, -1]]]);
  assert.deepEqual([totals, min, max], [[4, 4], -1, 5]);
});

test("the ninth value and those after it share a colour", () => {
  const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
  const made = grid(keys, { revenue: keys.map((_, i) => 100 - i) }, keys.map(() => 1), [0]);
  const colors = new Colors(made, revenue, 1);
  assert.deepEqual([colors.of("k0"), colors.of("k7"), colors.of("k8"), colors.of("k11"), colors.of("new")], [0, 7, 8, 8, 8]);
  const others = areas(made, revenue, colors).series.at(-1)!;
  assert.deepEqual([others.label, others.values[0]], ["Others", (92 + 91 + 90 + 89) / 100]);
});

test("the server's decimals stay exact, and its rows become a grid", () => {
  assert.deepEqual(parseColumn(["1.5", "-0.25", null, 3]), { raw: Float64Array.of(150, -25, 0, 300), scale: 2, exact: true });
  assert.equal(parseColumn(["1e400", "2"]).exact, false);
  const answer = { columns: ["date.month", "k", "revenue"], rows: [["2003-03-01", "a", "2.50"], ["2003-01-01", null, "1.00"], [null, "a", "9"]] };
  const made = toGrid(answer, { cuts: [{ dimension: "date", grain: "month" }, { dimension: "k" }], columns: ["revenue"], except: null }, (name) => name === "date");
  assert.equal(made.axes[0]!.days.length, 3);
  assert.deepEqual(made.axes[1]!.keys, ["a", null]);
  assert.deepEqual([...made.columns.get("revenue")!.raw], [0, 100, 0, 0, 250, 0]);
  assert.deepEqual([...made.cells], [0, 1, 0, 0, 1, 0]);
});

test("a saved table holds no formula", () => {
  assert.deepEqual(["=1+1", "+1", "@x", "-2+3", "-1.50", "a,b", 'q"', null].map(csvCell), ["'=1+1", "'+1", "'@x", "'-2+3", "-1.50", '"a,b"', '"q"""', ""]);
});

test("the lineage's layout: left to right, lanes for long edges, cycles end", () => {
  const edges: [string, string][] = [["a", "b"], ["b", "c"], ["a", "c"], ["x", "y"], ["y", "x"]];
  const doc = { nodes: ["a", "b", "c", "x"].map((id) => ({ id, kind: "raw" })), edges, columns: { "s.t.u": ["a.b"], "s.t": ["q"] } };
  const spots = layout(doc);
  const column = (id: string): number => spots.find((spot) => spot.id === id)!.column;
  assert.deepEqual(["a", "b", "c"].map(column), [0, 1, 2]);
  assert.equal(spots.filter((spot) => spot.lane).length, 1);
  assert.deepEqual([...related(doc, "b")].sort(), ["a", "b", "c"]);
  assert.deepEqual(columnsOf(doc, "s.t"), [["u", ["a.b"]]]);
});

test("a reference leads to its table, with or without schema and column", () => {
  const names = ["mart.fact", "mart.dim_customers", "raw.dim"];
  assert.deepEqual(["mart.dim_customers", "dim_customers", "dim_customers.customer_key", "mart.dim_customers.customer_key", "none.x"].map((each) => referred(each, names)), ["mart.dim_customers", "mart.dim_customers", "mart.dim_customers", "mart.dim_customers", null]);
});
