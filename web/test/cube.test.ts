import assert from "node:assert/strict";
import { test } from "node:test";
import { CubeError, decode } from "../src/cube.js";
import { NO_DATE } from "../src/dates.js";
import { category, container, date, measure } from "./tools.js";

const good = (): ArrayBuffer =>
  container(
    [category("a", ["x", null, "y"], [2, 0, 1]), category("b", ["p"], [0, 0, 0], "u32"), date("d", [10, NO_DATE, 12])],
    [measure("m", [1, 2, 9_007_199_254_740_991], 2)],
  );

test("codes, values, dates and measures arrive as written", () => {
  const cube = decode(good());
  assert.equal(cube.cells, 3);
  assert.equal(cube.release, "r1");
  const a = cube.dimensions.get("a")!;
  assert.deepEqual([...a.codes].map((code) => a.values[code]), ["y", "x", null]);
  const d = cube.dimensions.get("d")!;
  assert.deepEqual([d.first, d.last, d.size, ...d.codes], [10, 12, 4, 1, 0, 3]);
  const m = cube.measures.get("m")!;
  assert.deepEqual([...m.values], [1, 2, 9_007_199_254_740_991]);
  assert.equal(m.scale, 2);
});

test("an empty cube is a cube", () => {
  const cube = decode(container([category("a", [], []), date("d", [])], [measure("m", [])]));
  assert.equal(cube.cells, 0);
});

test("other bytes, cut bytes and codes without a value are refused", () => {
  assert.throws(() => decode(new ArrayBuffer(3)), CubeError);
  assert.throws(() => decode(new TextEncoder().encode("MSC2abcdefgh").buffer as ArrayBuffer), CubeError);
  const bytes = good();
  assert.throws(() => decode(bytes.slice(0, bytes.byteLength - 8)), /cut short/);
  assert.throws(() => decode(bytes.slice(0, 40)), /cut short/);
  assert.throws(() => decode(container([category("a", ["x"], [1])], [measure("m", [1])])), /without a value/);
});
