/** Decodes the cube's bytes (`MSC1`, header, aligned arrays) into columns of codes and measures. */

import { NO_DATE } from "./dates.js";
import type { Grain, Key } from "./types.js";

/** Codes have one of two array types alone, so that the hot loops stay fast. */
export type Codes = Uint16Array | Uint32Array;

/** `codes[cell]` is below `size`. Category: an index of `values`. Date: 0 = none, else day - first + 1. */
export interface Dimension {
  readonly name: string;
  readonly kind: "category" | "date";
  readonly codes: Codes;
  readonly size: number;
  readonly values: readonly Key[];
  readonly first: number;
  readonly last: number;
  readonly grain: Grain;
}

export interface Measure {
  readonly name: string;
  readonly scale: number;
  readonly exact: boolean;
  readonly values: Float64Array;
}

export interface Cube {
  readonly release: string;
  readonly cells: number;
  readonly dimensions: ReadonlyMap<string, Dimension>;
  readonly measures: ReadonlyMap<string, Measure>;
}

export class CubeError extends Error {}

interface ArrayHeader {
  type: string;
  offset: number;
  length: number;
}

interface Header {
  release: string;
  cells: number;
  dimensions: { name: string; kind: string; grain?: Grain; values?: Key[]; array: ArrayHeader }[];
  measures: { name: string; scale: number; exact: boolean; array: ArrayHeader }[];
}

const TYPES = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i32: Int32Array, f64: Float64Array } as const;

function view(buffer: ArrayBuffer, base: number, array: ArrayHeader, cells: number) {
  const Type = TYPES[array.type as keyof typeof TYPES];
  if (Type === undefined) throw new CubeError(`the cube has an array of an unknown type, "${array.type}"`);
  const start = base + array.offset;
  if (array.length !== cells || start + array.length * Type.BYTES_PER_ELEMENT > buffer.byteLength) {
    throw new CubeError("the cube is cut short");
  }
  return new Type(buffer, start, array.length);
}

const widen = (codes: ArrayLike<number>, size: number): Codes =>
  size <= 65536 ? Uint16Array.from(codes) : Uint32Array.from(codes);

function category(name: string, values: readonly Key[], codes: ArrayLike<number>): Dimension {
  for (let i = 0; i < codes.length; i++) {
    if (codes[i]! >= values.length) throw new CubeError(`the cube's dimension ${name} has a code without a value`);
  }
  return { name, kind: "category", codes: widen(codes, values.length), size: values.length, values, first: 0, last: 0, grain: "day" };
}

function date(name: string, grain: Grain, days: ArrayLike<number>): Dimension {
  let first = Infinity;
  let last = -Infinity;
  for (let i = 0; i < days.length; i++) {
    const day = days[i]!;
    if (day === NO_DATE) continue;
    if (day < first) first = day;
    if (day > last) last = day;
  }
  if (first > last) first = last = 0;
  const size = last - first + 2;
  if (size > 4_000_000) throw new CubeError(`the dates of ${name} are more than 10,000 years apart`);
  const codes: Codes = size <= 65536 ? new Uint16Array(days.length) : new Uint32Array(days.length);
  for (let i = 0; i < days.length; i++) codes[i] = days[i] === NO_DATE ? 0 : days[i]! - first + 1;
  return { name, kind: "date", codes, size, values: [], first, last, grain };
}

export function decode(buffer: ArrayBuffer): Cube {
  const head = new Uint8Array(buffer, 0, Math.min(8, buffer.byteLength));
  if (head.length < 8 || String.fromCharCode(...head.subarray(0, 4)) !== "MSC1") {
    throw new CubeError("these bytes are no cube");
  }
  const length = new DataView(buffer).getUint32(4, true);
  if (8 + length > buffer.byteLength) throw new CubeError("the cube is cut short");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as Header;
  const base = 8 + length;
  const dimensions = new Map<string, Dimension>();
  for (const entry of header.dimensions) {
    const codes = view(buffer, base, entry.array, header.cells);
    const made =
      entry.kind === "date" ? date(entry.name, entry.grain ?? "day", codes) : category(entry.name, entry.values ?? [], codes);
    dimensions.set(entry.name, made);
  }
  if (dimensions.size > 31) throw new CubeError("the cube has more than 31 dimensions");
  const measures = new Map<string, Measure>();
  for (const { name, scale, exact, array } of header.measures) {
    const values = view(buffer, base, array, header.cells);
    measures.set(name, { name, scale, exact, values: values as Float64Array });
  }
  return { release: header.release, cells: header.cells, dimensions, measures };
}
