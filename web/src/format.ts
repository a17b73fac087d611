/** Numbers as text: exact ones digit by digit, compact ones for labels; a real minus everywhere. */

import { formatLocale, formatSpecifier, type FormatSpecifier } from "d3-format";
import type { Column, Grid, MeasureSpec } from "./types.js";

const MINUS = "−";
const NOTHING = "–";

export interface NumberFormat {
  /** Short: `$3.15B`. For labels, axes and large figures. */
  readonly compact: (value: number) => string;
  /** Shorter still, for round values on an axis: `$3B`. */
  readonly tick: (value: number) => string;
  /** As the dashboard's file asks: `$2,879.40`. */
  readonly plain: (value: number) => string;
  /** Every digit of raw / 10^scale: `$9,604,190.61`. */
  readonly exact: (raw: number, scale: number) => string;
  /** The dashboard's file asks for the short form (`s`). */
  readonly short: boolean;
}

interface Parts {
  before: string;
  after: string;
  spec: string;
}

/** Splits `€,.2f` or `,.2f kg` into the currency or unit around a d3 specifier. */
function split(format: string): Parts | null {
  const match = /^(\p{Sc}|[A-Z]{3} ?)?([^a-z%]*[a-z%]?)(\s\S{1,8}|\p{Sc})?$/u.exec(format);
  if (!match) return null;
  const [, before = "", spec = "", after = ""] = match;
  return spec.includes("$") ? { before: `${before}$`, after, spec: spec.replace("$", "") } : { before, after, spec };
}

const grouped = (digits: string): string => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

/** Every digit, from the integer itself: a division would round what a double cannot hold. */
export function exactDigits(raw: number, scale: number, decimals = scale): string {
  const digits = BigInt(Math.abs(raw)).toString().padStart(scale + 1, "0");
  const whole = scale === 0 ? digits : digits.slice(0, -scale);
  const part = (scale === 0 ? "" : digits.slice(-scale)).padEnd(decimals, "0");
  return grouped(whole) + (part === "" ? "" : `.${part}`);
}

function parse(format: string | undefined): [Parts, FormatSpecifier] | null {
  const parts = format ? split(format) : null;
  if (parts === null) return null;
  try {
    return [parts, formatSpecifier(parts.spec)];
  } catch {
    return null;
  }
}

export function numberFormat(format: string | undefined, kind: MeasureSpec["kind"]): NumberFormat {
  const fallback = kind === "count" ? ",d" : ",.2f";
  const [parts, specifier] = parse(format) ?? parse(fallback)!;
  const percent = specifier.type === "%" || specifier.type === "p";
  const locale = formatLocale({
    decimal: ".", thousands: ",", grouping: [3], minus: MINUS, currency: [parts.before, percent ? `%${parts.after}` : parts.after],
  });
  const wrap = (spec: string): ((value: number) => string) => {
    const made = formatSpecifier(spec);
    made.symbol = "$";
    const inner = locale.format(made.toString());
    return (value) => (Number.isFinite(value) ? inner(value) : NOTHING);
  };
  const named = (inner: (value: number) => string) => (value: number): string =>
    inner(value).replace(/k(?=\D*$)/, "K").replace(/G(?=\D*$)/, "B");
  const words = named(wrap(specifier.type === "s" ? parts.spec : ".3s"));
  const trimmed = named(wrap(".3~s"));
  const given = wrap(parts.spec);
  const whole = wrap(",d");
  const either = (value: number): string => (Number.isInteger(value) ? whole(value) : given(value));
  const plain = specifier.type === "s" ? words : format ? given : either;
  const exactly = (raw: number, scale: number): string => {
    if (!Number.isInteger(raw)) return plain(raw / 10 ** scale);
    const decimals = specifier.type === "f" ? Math.max(scale, specifier.precision ?? 0) : scale;
    return `${raw < 0 ? MINUS : ""}${parts.before}${exactDigits(raw, scale, decimals)}${parts.after}`;
  };
  const compact = (value: number): string => {
    if (percent || !Number.isFinite(value)) return plain(value);
    const size = Math.abs(value);
    if (specifier.type === "s") return words(value);
    if (size >= 10_000) return words(value);
    return size >= 100 || Number.isInteger(value) ? wrap(",.0f")(value) : plain(value);
  };
  const tick = (value: number): string => (percent ? plain(value) : Math.abs(value) < 1 && value !== 0 ? wrap(".2~f")(value) : trimmed(value));
  return { compact, tick, plain, exact: exactly, short: specifier.type === "s" };
}

/** Whole numbers are shown whole as long as they fit; money above 100,000 in short. */
export function headline(value: number, measure: MeasureSpec, format: NumberFormat): string {
  if (measure.kind === "count" && Math.abs(value) < 10_000_000) return format.plain(value);
  return Math.abs(value) >= 100_000 ? format.compact(value) : format.plain(value);
}

/** The additive columns that a measure needs. */
export function columnsOf(measure: MeasureSpec): readonly string[] {
  if (measure.kind === "sum" || measure.kind === "count") return [measure.name];
  return measure.of?.length === 2 ? measure.of : [`${measure.name}__sum`, `${measure.name}__count`];
}

const unscaled = (column: Column, at: number): number => column.raw[at]! / 10 ** column.scale;

/** A measure's value at one place of an answer; NaN where there is nothing or a division by zero. */
export function valueAt(grid: Grid, measure: MeasureSpec, at: number): number {
  if (!(grid.cells[at]! > 0)) return NaN;
  const [first, second] = columnsOf(measure).map((name) => grid.columns.get(name));
  if (first === undefined) return NaN;
  if (second === undefined) return unscaled(first, at);
  const divisor = unscaled(second, at);
  return divisor === 0 ? NaN : unscaled(first, at) / divisor;
}

/** The same in full, for titles and tables. */
export function textAt(grid: Grid, measure: MeasureSpec, format: NumberFormat, at: number): string {
  if (!(grid.cells[at]! > 0)) return NOTHING;
  const columns = columnsOf(measure);
  const column = grid.columns.get(columns[0]!);
  if (columns.length === 1 && column !== undefined) {
    return column.exact ? format.exact(column.raw[at]!, column.scale) : format.plain(unscaled(column, at));
  }
  return format.plain(valueAt(grid, measure, at));
}

export const isAdditive = (measure: MeasureSpec): boolean => measure.kind === "sum" || measure.kind === "count";

/** A category's name as shown; the source's NULL is "Unknown". */
export const label = (key: string | null): string => (key === null ? "Unknown" : key === "" ? "(empty)" : key);

const percentage = formatLocale({ decimal: ".", thousands: ",", grouping: [3], minus: MINUS, currency: ["", ""] });
const tenth = percentage.format(".1%");
export const share = (part: number, whole: number): string => (whole === 0 || !Number.isFinite(part / whole) ? "" : tenth(part / whole));
export const integer = percentage.format(",d");

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  return `${percentage.format(".3~s")(count).replace("k", " k").replace("M", " M").replace("G", " G").replace("T", " T")}B`;
}
