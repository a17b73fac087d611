/**
 * Selection and aggregation over a cube. One bit a dimension says, for each cell, whether that
 * dimension's filter refuses it; a chart that ignores its own filter masks its own bit. So a click
 * rewrites one bit a cell, and each chart that changed is one pass over the cells.
 */

import type { Codes, Cube, Dimension } from "./cube.js";
import { buckets, floor } from "./dates.js";
import type { Axis, Column, Cut, Filter, Filters, Grid } from "./types.js";

/** Codes that the filter lets through (1), or null when it refuses none. */
export function allowed(dimension: Dimension, filter: Filter | undefined): Uint8Array | null {
  if (filter === undefined) return null;
  const mask = new Uint8Array(dimension.size);
  if (filter.kind === "in") {
    const wanted = new Set(filter.values);
    dimension.values.forEach((value, code) => {
      if (wanted.has(value)) mask[code] = 1;
    });
    return mask;
  }
  const from = filter.from === null ? 1 : Math.max(1, filter.from - dimension.first + 1);
  const to = filter.to === null ? dimension.size - 1 : Math.min(dimension.size - 1, filter.to - dimension.first + 1);
  if (from <= to) mask.fill(1, from, to + 1);
  return mask;
}

interface Lookup {
  readonly axis: Axis;
  /** code → index on the axis; -1: not on it (a cell without a date). */
  readonly index: Int32Array;
}

function lookup(dimension: Dimension, cut: Cut): Lookup {
  const index = new Int32Array(dimension.size);
  if (dimension.kind === "category") {
    for (let code = 0; code < dimension.size; code++) index[code] = code;
    return { axis: { cut, keys: dimension.values, days: [] }, index };
  }
  const grain = cut.grain ?? dimension.grain;
  const days = dimension.size > 1 ? buckets(dimension.first, dimension.last, grain) : [];
  const place = new Map(days.map((day, i) => [day, i]));
  index[0] = -1;
  for (let code = 1; code < dimension.size; code++) index[code] = place.get(floor(dimension.first + code - 1, grain)) ?? -1;
  return { axis: { cut, keys: [], days }, index };
}

/** Sums into `out[at]` and counts cells. The same loop serves no, one and two cuts. */
function pass(
  refused: Uint32Array,
  mask: number,
  cuts: readonly { codes: Codes; index: Int32Array; stride: number }[],
  values: readonly Float64Array[],
  out: readonly Float64Array[],
  cells: Float64Array,
): void {
  const [a, b] = cuts;
  if (a === undefined) return passNone(refused, mask, values, out, cells);
  if (b === undefined) return passOne(refused, mask, a, values, out, cells);
  const { codes: codesA, index: indexA, stride } = a;
  const { codes: codesB, index: indexB } = b;
  const v0 = values[0];
  const o0 = out[0];
  for (let i = 0; i < refused.length; i++) {
    if ((refused[i]! & mask) !== 0) continue;
    const x = indexA[codesA[i]!]!;
    const y = indexB[codesB[i]!]!;
    if (x < 0 || y < 0) continue;
    const at = x * stride + y;
    cells[at]!++;
    if (o0 !== undefined) o0[at]! += v0![i]!;
    for (let m = 1; m < values.length; m++) out[m]![at]! += values[m]![i]!;
  }
}

function passOne(
  refused: Uint32Array,
  mask: number,
  cut: { codes: Codes; index: Int32Array },
  values: readonly Float64Array[],
  out: readonly Float64Array[],
  cells: Float64Array,
): void {
  const { codes, index } = cut;
  const v0 = values[0];
  const o0 = out[0];
  for (let i = 0; i < refused.length; i++) {
    if ((refused[i]! & mask) !== 0) continue;
    const at = index[codes[i]!]!;
    if (at < 0) continue;
    cells[at]!++;
    if (o0 !== undefined) o0[at]! += v0![i]!;
    for (let m = 1; m < values.length; m++) out[m]![at]! += values[m]![i]!;
  }
}

function passNone(
  refused: Uint32Array,
  mask: number,
  values: readonly Float64Array[],
  out: readonly Float64Array[],
  cells: Float64Array,
): void {
  let count = 0;
  for (let i = 0; i < refused.length; i++) if ((refused[i]! & mask) === 0) count++;
  cells[0] = count;
  values.forEach((column, m) => {
    let sum = 0;
    for (let i = 0; i < refused.length; i++) if ((refused[i]! & mask) === 0) sum += column[i]!;
    out[m]![0] = sum;
  });
}

export class Selector {
  private readonly refused: Uint32Array;
  private readonly bits = new Map<string, number>();
  private readonly current = new Map<string, Filter | undefined>();
  private readonly lookups = new Map<string, Lookup>();

  constructor(readonly cube: Cube) {
    this.refused = new Uint32Array(cube.cells);
    let bit = 1;
    for (const name of cube.dimensions.keys()) {
      this.bits.set(name, bit);
      bit *= 2;
    }
  }

  /** Applies the filters; only the bits of dimensions whose filter changed are rewritten. */
  filter(filters: Filters): void {
    for (const [name, dimension] of this.cube.dimensions) {
      const wanted = filters.get(name);
      if (sameFilter(wanted, this.current.get(name))) continue;
      this.current.set(name, wanted);
      const bit = this.bits.get(name)!;
      const mask = allowed(dimension, wanted);
      const { codes } = dimension;
      const { refused } = this;
      if (mask === null) {
        for (let i = 0; i < refused.length; i++) refused[i]! &= ~bit;
      } else {
        const set = Uint32Array.from(mask, (ok) => (ok === 1 ? 0 : bit));
        for (let i = 0; i < refused.length; i++) refused[i] = (refused[i]! & ~bit) | set[codes[i]!]!;
      }
    }
  }

  /** Sums of the additive `columns` along `cuts`, under all filters but the one on `except`. */
  group(cuts: readonly Cut[], columns: readonly string[], except: string | null): Grid {
    const lookups = cuts.map((cut) => this.lookup(cut));
    const sizes = lookups.map((each) => Math.max(each.axis.keys.length, each.axis.days.length));
    const total = sizes.reduce((all, size) => all * size, 1);
    const measures = columns.map((name) => {
      const measure = this.cube.measures.get(name);
      if (measure === undefined) throw new Error(`the cube has no column ${name}`);
      return measure;
    });
    const out = measures.map(() => new Float64Array(total));
    const cells = new Float64Array(total);
    const mask = except === null ? 0xffffffff : ~(this.bits.get(except) ?? 0);
    const wired = lookups.map((each, i) => ({
      codes: this.cube.dimensions.get(cuts[i]!.dimension)!.codes,
      index: each.index,
      stride: sizes[1] ?? 1,
    }));
    pass(this.refused, mask, wired, measures.map((measure) => measure.values), out, cells);
    const named = new Map<string, Column>();
    measures.forEach(({ name, scale, exact }, m) => named.set(name, { raw: out[m]!, scale, exact }));
    return { axes: lookups.map((each) => each.axis), cells, columns: named };
  }

  private lookup(cut: Cut): Lookup {
    const id = `${cut.dimension}.${cut.grain ?? ""}`;
    let found = this.lookups.get(id);
    if (found === undefined) {
      const dimension = this.cube.dimensions.get(cut.dimension);
      if (dimension === undefined) throw new Error(`the cube has no dimension ${cut.dimension}`);
      found = lookup(dimension, cut);
      this.lookups.set(id, found);
    }
    return found;
  }
}

export function sameFilter(a: Filter | undefined, b: Filter | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === "range") return b.kind === "range" && a.from === b.from && a.to === b.to;
  if (b.kind === "range" || a.values.length !== b.values.length) return false;
  const set = new Set(a.values);
  return b.values.every((value) => set.has(value));
}
