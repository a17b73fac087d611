/** Cubes for the unit tests, written by hand as the contract says. */

interface Column {
  readonly name: string;
  readonly type: "u8" | "u16" | "u32" | "i32" | "f64";
  readonly data: readonly number[];
  readonly more: Readonly<Record<string, unknown>>;
}

const SIZES = { u8: 1, u16: 2, u32: 4, i32: 4, f64: 8 };

export function container(dimensions: readonly Column[], measures: readonly Column[]): ArrayBuffer {
  let offset = 0;
  const place = (column: Column): Record<string, unknown> => {
    offset = Math.ceil(offset / 8) * 8;
    const entry = { name: column.name, ...column.more, array: { type: column.type, offset, length: column.data.length } };
    offset += SIZES[column.type] * column.data.length;
    return entry;
  };
  const header = { release: "r1", cells: measures[0]?.data.length ?? 0, dimensions: dimensions.map(place), measures: measures.map(place) };
  let text = JSON.stringify(header);
  while ((8 + new TextEncoder().encode(text).length) % 8 !== 0) text += " ";
  const bytes = new TextEncoder().encode(text);
  const buffer = new ArrayBuffer(8 + bytes.length + offset);
  const view = new DataView(buffer);
  new Uint8Array(buffer).set(new TextEncoder().encode("MSC1"));
  view.setUint32(4, bytes.length, true);
  new Uint8Array(buffer).set(bytes, 8);
  offset = 0;
  for (const { type, data } of [...dimensions, ...measures]) {
    offset = Math.ceil(offset / 8) * 8;
    for (const value of data) {
      const at = 8 + bytes.length + offset;
      if (type === "u8") view.setUint8(at, value);
      else if (type === "u16") view.setUint16(at, value, true);
      else if (type === "u32") view.setUint32(at, value, true);
      else if (type === "i32") view.setInt32(at, value, true);
      else view.setFloat64(at, value, true);
      offset += SIZES[type];
    }
  }
  return buffer;
}

export const category = (name: string, values: readonly (string | null)[], data: readonly number[], type: Column["type"] = "u8"): Column => ({
  name, type, data, more: { kind: "category", values },
});

export const date = (name: string, data: readonly number[]): Column => ({ name, type: "i32", data, more: { kind: "date", grain: "day" } });

export const measure = (name: string, data: readonly number[], scale = 0, exact = true): Column => ({ name, type: "f64", data, more: { scale, exact } });

/** A repeatable sequence of whole numbers below `limit` (a linear congruence). */
export function sequence(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
}
