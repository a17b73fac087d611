/**
 * A page's state ↔ its address: `?country=USA,Spain&date=2003-01-01..2003-12-31&~date=quarter`.
 * A tilde escapes: `~null` (the source's NULL), `~empty`, `~all` (no filter where one is the
 * default), `~~x` (a value that starts with a tilde). A key with a tilde is a date's grain.
 */

import { floor, isoDay, next, parseDay } from "./dates.js";
import { sameFilter } from "./select.js";
import type { DashboardDoc, DimensionSpec, Filter, Filters, FilterSpec, Grain, Key } from "./types.js";

export interface State {
  readonly filters: Filters;
  readonly grains: ReadonlyMap<string, Grain>;
}

const GRAINS: readonly string[] = ["day", "month", "quarter", "year"];

function encodeValue(value: Key): string {
  if (value === null) return "~null";
  if (value === "") return "~empty";
  const text = value.startsWith("~") ? `~${value}` : value;
  return encodeURIComponent(text).replace(/%20/g, "+");
}

function decodeText(raw: string): string {
  try {
    return decodeURIComponent(raw.replace(/\+/g, " "));
  } catch {
    return raw;
  }
}

function decodeValue(raw: string): Key {
  const text = decodeText(raw);
  if (text === "~null") return null;
  if (text === "~empty") return "";
  return text.startsWith("~~") ? text.slice(1) : text;
}

/** The last day that `2003`, `2003-05` or `2003-05-31` names. */
function lastDay(text: string): number | null {
  const first = parseDay(text);
  if (first === null) return null;
  const parts = text.trim().split("-").length;
  return parts === 3 ? first : next(floor(first, "month"), parts === 2 ? "month" : "year") - 1;
}

function range(from: string, to: string): Filter | undefined {
  const first = from === "" ? null : parseDay(from);
  const last = to === "" ? null : lastDay(to);
  if (first === null && last === null) return undefined;
  if (first !== null && last !== null && first > last) return { kind: "range", from: last, to: first };
  return { kind: "range", from: first, to: last };
}

function parseFilter(dimension: DimensionSpec, raw: string): Filter | undefined {
  if (raw === "" || raw === "~all") return undefined;
  if (dimension.kind === "date") {
    const text = decodeText(raw);
    const cut = text.indexOf("..");
    return cut < 0 ? range(text, text) : range(text.slice(0, cut), text.slice(cut + 2));
  }
  return { kind: "in", values: [...new Set(raw.split(",").map(decodeValue))] };
}

function formatFilter(filter: Filter): string {
  if (filter.kind === "in") return filter.values.map(encodeValue).join(",");
  return `${filter.from === null ? "" : isoDay(filter.from)}..${filter.to === null ? "" : isoDay(filter.to)}`;
}

/** The filter that a dashboard's file gives to a dimension before anybody clicks. */
export function defaultFilter(dimension: DimensionSpec, spec: FilterSpec | undefined): Filter | undefined {
  const value = spec?.default ?? "all";
  if (value === "all" || value.length === 0) return undefined;
  const values = typeof value === "string" ? [value] : [...value];
  if (dimension.kind !== "date") return { kind: "in", values };
  return values.length === 1 ? parseFilter(dimension, values[0]!) : range(values[0]!, values[1]!);
}

export function parseState(query: string, doc: DashboardDoc): State {
  const pairs = new Map<string, string>();
  for (const part of query.replace(/^[?#]/, "").split("&")) {
    const cut = part.indexOf("=");
    if (cut > 0) pairs.set(decodeText(part.slice(0, cut)), part.slice(cut + 1));
  }
  const filters = new Map<string, Filter>();
  const grains = new Map<string, Grain>();
  for (const dimension of doc.dimensions) {
    const spec = doc.filters?.[dimension.name];
    const raw = spec?.locked === true ? undefined : pairs.get(dimension.name);
    const filter = raw === undefined ? defaultFilter(dimension, spec) : parseFilter(dimension, raw);
    if (filter !== undefined) filters.set(dimension.name, filter);
    const grain = pairs.get(`~${dimension.name}`);
    if (grain !== undefined && GRAINS.includes(grain)) grains.set(dimension.name, grain as Grain);
  }
  return { filters, grains };
}

/** The query string without `?`; what equals a default is left out. */
export function formatState(state: State, doc: DashboardDoc): string {
  const parts: string[] = [];
  for (const dimension of doc.dimensions) {
    const spec = doc.filters?.[dimension.name];
    if (spec?.locked !== true) {
      const filter = state.filters.get(dimension.name);
      if (!sameFilter(filter, defaultFilter(dimension, spec))) {
        parts.push(`${encodeURIComponent(dimension.name)}=${filter === undefined ? "~all" : formatFilter(filter)}`);
      }
    }
    const grain = state.grains.get(dimension.name);
    if (grain !== undefined) parts.push(`~${encodeURIComponent(dimension.name)}=${grain}`);
  }
  return parts.join("&");
}

export function withFilter(state: State, dimension: string, filter: Filter | undefined): State {
  const filters = new Map(state.filters);
  const empty = filter === undefined || (filter.kind === "in" ? filter.values.length === 0 : filter.from === null && filter.to === null);
  if (empty) filters.delete(dimension);
  else filters.set(dimension, filter);
  return { ...state, filters };
}

/** A click on a value: alone, or (add) together with those chosen before; a second click takes it back. */
export function toggle(filter: Filter | undefined, key: Key, add: boolean): Filter | undefined {
  const values = filter?.kind === "in" ? filter.values : [];
  const has = values.includes(key);
  if (!add) return has && values.length === 1 ? undefined : { kind: "in", values: [key] };
  const rest = has ? values.filter((value) => value !== key) : [...values, key];
  return rest.length === 0 ? undefined : { kind: "in", values: rest };
}
