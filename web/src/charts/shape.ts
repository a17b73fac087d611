/** From an answer to what a chart draws. Pure: no element, no page. */

import { isAdditive, label, textAt, valueAt, type NumberFormat } from "../format.js";
import type { Filter, Grid, Key, MeasureSpec } from "../types.js";

export interface BarRow {
  readonly key: Key;
  readonly label: string;
  readonly value: number;
  readonly text: string;
}

export interface Bars {
  readonly rows: readonly BarRow[];
  /** How many values are not shown, and what they come to (NaN when that has no meaning). */
  readonly others: number;
  readonly rest: number;
  readonly total: number;
}

const descending = (a: BarRow, b: BarRow): number => {
  if (Number.isNaN(a.value) || Number.isNaN(b.value)) return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
  return b.value - a.value;
};

/** The `top` largest values, plus those chosen; ties keep the order of the cube. */
export function barRows(grid: Grid, measure: MeasureSpec, format: NumberFormat, top: number, filter: Filter | undefined): Bars {
  const keys = grid.axes[0]?.keys ?? [];
  const chosen = new Set(filter?.kind === "in" ? filter.values : []);
  const all: BarRow[] = [];
  keys.forEach((key, at) => {
    if (!(grid.cells[at]! > 0) && !chosen.has(key)) return;
    all.push({ key, label: label(key), value: valueAt(grid, measure, at), text: textAt(grid, measure, format, at) });
  });
  all.sort(descending);
  const rows = all.filter((row, i) => i < top || chosen.has(row.key));
  const hidden = all.filter((row, i) => i >= top && !chosen.has(row.key));
  const sum = (list: readonly BarRow[]): number =>
    isAdditive(measure) ? list.reduce((total, row) => total + (Number.isNaN(row.value) ? 0 : row.value), 0) : NaN;
  return { rows, others: hidden.length, rest: sum(hidden), total: sum(all) };
}

/** Which colour each value has: the eight largest of the unfiltered answer, then one for the rest. */
export class Colors {
  static readonly COUNT = 8;
  readonly order: readonly Key[];
  private readonly places: ReadonlyMap<Key, number>;

  constructor(grid: Grid, measure: MeasureSpec, axis: number) {
    const keys = grid.axes[axis]?.keys ?? [];
    const totals = new Map<Key, number>(keys.map((key) => [key, -Infinity]));
    const inner = axis === 0 ? 1 : keys.length;
    for (let at = 0; at < grid.cells.length; at++) {
      const value = valueAt(grid, measure, at);
      if (Number.isNaN(value)) continue;
      const key = keys[axis === 0 ? at : at % inner]!;
      const before = totals.get(key)!;
      totals.set(key, before === -Infinity ? value : before + value);
    }
    this.order = [...totals].filter(([, total]) => total > -Infinity).sort((a, b) => b[1] - a[1]).map(([key]) => key);
    this.places = new Map(this.order.map((key, i) => [key, i]));
  }

  /** 0…7, or 8 for the rest. */
  of(key: Key): number {
    return Math.min(this.places.get(key) ?? Colors.COUNT, Colors.COUNT);
  }

  named(): readonly Key[] {
    return this.order.slice(0, Colors.COUNT);
  }

  hasRest(): boolean {
    return this.order.length > Colors.COUNT;
  }
}

export interface Series {
  readonly key: Key | undefined;
  readonly label: string;
  readonly color: number;
  readonly values: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
}

export interface Areas {
  readonly days: readonly number[];
  readonly series: readonly Series[];
  readonly stacked: boolean;
  readonly totals: readonly number[];
  readonly min: number;
  readonly max: number;
}

function column(grid: Grid, measure: MeasureSpec, keys: readonly Key[] | null): number[] {
  const length = grid.axes[0]!.days.length;
  const inner = grid.axes[1]?.keys ?? [];
  const width = keys === null ? 1 : inner.length;
  const places = keys === null ? [0] : keys.map((key) => inner.indexOf(key)).filter((place) => place >= 0);
  const values: number[] = [];
  for (let x = 0; x < length; x++) {
    let sum = NaN;
    for (const place of places) {
      const value = valueAt(grid, measure, x * width + place);
      if (!Number.isNaN(value)) sum = Number.isNaN(sum) ? value : sum + value;
    }
    values.push(sum);
  }
  return values;
}

/** Series along the first axis; additive measures are stacked (negatives below zero), others are lines. */
export function areas(grid: Grid, measure: MeasureSpec, colors: Colors | null): Areas {
  const days = grid.axes[0]?.days ?? [];
  const stacked = isAdditive(measure);
  const wanted: { key: Key | undefined; label: string; color: number; values: number[] }[] = [];
  if (colors === null) wanted.push({ key: undefined, label: measure.label, color: 0, values: column(grid, measure, null) });
  else {
    for (const key of colors.named()) wanted.push({ key, label: label(key), color: colors.of(key), values: column(grid, measure, [key]) });
    if (colors.hasRest() && stacked) {
      wanted.push({ key: undefined, label: "Others", color: Colors.COUNT, values: column(grid, measure, colors.order.slice(Colors.COUNT)) });
    }
  }
  const above = days.map(() => 0);
  const below = days.map(() => 0);
  const series = wanted
    .filter((each) => each.values.some((value) => !Number.isNaN(value)))
    .map((each): Series => {
      if (!stacked) return { ...each, low: each.values.map(() => 0), high: each.values };
      const low: number[] = [];
      const high: number[] = [];
      each.values.forEach((value, x) => {
        const side = value < 0 ? below : above;
        low.push(side[x]!);
        side[x]! += Number.isNaN(value) ? 0 : value;
        high.push(side[x]!);
      });
      return { ...each, low, high };
    });
  const finite = series.flatMap((each) => each.high.filter((value) => !Number.isNaN(value)));
  const totals = days.map((_, x) => above[x]! + below[x]!);
  const most = finite.reduce((a, b) => Math.max(a, b), 0);
  const least = finite.reduce((a, b) => Math.min(a, b), 0);
  return { days, series, stacked, totals, min: least, max: most };
}
