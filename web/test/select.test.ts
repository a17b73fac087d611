import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "../src/cube.js";
import { floor, NO_DATE } from "../src/dates.js";
import { sameFilter, Selector } from "../src/select.js";
import type { Filter, Key } from "../src/types.js";
import { category, container, date, measure, sequence } from "./tools.js";

const N = 5_000;
const next = sequence(11);
const AS: Key[] = ["a0", "a1", "a2", null];
const BS: Key[] = Array.from({ length: 300 }, (_, i) => `b${i}`);
const rows = Array.from({ length: N }, () => ({
  a: next(4), b: next(300), d: next(50) === 0 ? NO_DATE : 12_000 + next(900), m: next(1_000_000) - 200_000, n: next(9),
}));
const bytes = (): ArrayBuffer =>
  container(
    [category("a", AS, rows.map((row) => row.a)), category("b", BS, rows.map((row) => row.b), "u16"), date("d", rows.map((row) => row.d))],
    [measure("m", rows.map((row) => row.m), 2), measure("n", rows.map((row) => row.n))],
  );

function passes(row: (typeof rows)[number], filters: ReadonlyMap<string, Filter>, except: string | null): boolean {
  for (const [name, filter] of filters) {
    if (name === except) continue;
    if (filter.kind === "range") {
      if (row.d === NO_DATE) return false;
      if ((filter.from !== null && row.d < filter.from) || (filter.to !== null && row.d > filter.to)) return false;
    } else if (!filter.values.includes(name === "a" ? AS[row.a]! : BS[row.b]!)) return false;
  }
  return true;
}

const CASES: [string, [string, Filter][]][] = [
  ["none", []],
  ["one value", [["a", { kind: "in", values: ["a1"] }]]],
  ["null", [["a", { kind: "in", values: [null] }]]],
  ["several", [["b", { kind: "in", values: ["b3", "b4", "b299", "not there"] }], ["a", { kind: "in", values: ["a0", null] }]]],
  ["range", [["d", { kind: "range", from: 12_100, to: 12_400 }]]],
  ["open range", [["d", { kind: "range", from: 12_500, to: null }], ["a", { kind: "in", values: ["a2"] }]]],
  ["before everything", [["d", { kind: "range", from: null, to: 11_999 }]]],
  ["beyond both ends", [["d", { kind: "range", from: 0, to: 99_999 }]]],
];

test("every grouping under every filter equals a plain loop, whatever was chosen before", () => {
  const selector = new Selector(decode(bytes()));
  for (const [name, entries] of [...CASES, ...[...CASES].reverse()]) {
    const filters = new Map(entries);
    selector.filter(filters);
    for (const except of [null, "a", "b", "d"]) {
      const kept = rows.filter((row) => passes(row, filters, except));
      const total = selector.group([], ["m", "n"], except);
      assert.equal(total.cells[0], kept.length, name);
      assert.equal(total.columns.get("m")!.raw[0], kept.reduce((sum, row) => sum + row.m, 0), name);

      const byA = selector.group([{ dimension: "a" }], ["m", "n"], except);
      AS.forEach((key, code) => {
        const of = kept.filter((row) => row.a === code);
        assert.equal(byA.axes[0]!.keys[code], key);
        assert.equal(byA.cells[code], of.length);
        assert.equal(byA.columns.get("m")!.raw[code], of.reduce((sum, row) => sum + row.m, 0));
        assert.equal(byA.columns.get("n")!.raw[code], of.reduce((sum, row) => sum + row.n, 0));
      });

      const grid = selector.group([{ dimension: "d", grain: "quarter" }, { dimension: "a" }], ["m", "n"], except);
      const dated = kept.filter((row) => row.d !== NO_DATE);
      grid.axes[0]!.days.forEach((start, x) => {
        AS.forEach((_, code) => {
          const of = dated.filter((row) => row.a === code && floor(row.d, "quarter") === start);
          assert.equal(grid.columns.get("m")!.raw[x * 4 + code], of.reduce((sum, row) => sum + row.m, 0));
          assert.equal(grid.columns.get("n")!.raw[x * 4 + code], of.reduce((sum, row) => sum + row.n, 0));
        });
      });
      assert.equal(grid.cells.reduce((a, b) => a + b), dated.length);
    }
  }
});

test("a grouping without columns counts, an unknown name is an error", () => {
  const selector = new Selector(decode(bytes()));
  assert.equal(selector.group([], [], null).cells[0], N);
  assert.throws(() => selector.group([{ dimension: "no" }], ["m"], null), /no dimension no/);
  assert.throws(() => selector.group([], ["no"], null), /no column no/);
});

test("31 dimensions have each their own bit", () => {
  const many = Array.from({ length: 31 }, (_, i) => category(`c${i}`, ["0", "1"], [0, 1]));
  const selector = new Selector(decode(container(many, [measure("m", [1, 2])])));
  selector.filter(new Map(many.map(({ name }) => [name, { kind: "in", values: ["1"] } as const])));
  assert.equal(selector.group([], ["m"], null).columns.get("m")!.raw[0], 2);
  selector.filter(new Map([["c30", { kind: "in", values: ["0"] }]]));
  assert.equal(selector.group([], ["m"], null).columns.get("m")!.raw[0], 1);
  assert.equal(selector.group([], ["m"], "c30").columns.get("m")!.raw[0], 3);
  assert.throws(() => decode(container([...many, category("one more", ["0"], [0, 0])], [measure("m", [1, 2])])), /31 dimensions/);
});

test("filters are the same whatever the order of their values", () => {
  assert.ok(sameFilter({ kind: "in", values: ["a", null] }, { kind: "in", values: [null, "a"] }));
  assert.ok(!sameFilter({ kind: "in", values: ["a"] }, { kind: "in", values: ["b"] }));
  assert.ok(!sameFilter({ kind: "in", values: ["a"] }, undefined));
  assert.ok(!sameFilter({ kind: "range", from: 1, to: 2 }, { kind: "range", from: 1, to: null }));
});
