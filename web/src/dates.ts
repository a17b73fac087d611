/** Days since 1970-01-01, and buckets of them. All in UTC: a date of the source has no time zone. */

import { utcFormat } from "d3-time-format";
import type { Grain } from "./types.js";

export const NO_DATE = -2147483648;
const DAY = 86_400_000;

export const toDate = (day: number): Date => new Date(day * DAY);

export function fromParts(year: number, month: number, day = 1): number {
  return Math.round(Date.UTC(year, month, day) / DAY);
}

/** `2003-01-31`, `2003-01` or `2003` as its first day; null when it is no date. */
export function parseDay(text: string): number | null {
  const match = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$/.exec(text.trim());
  if (!match) return null;
  const month = match[2] === undefined ? 0 : Number(match[2]) - 1;
  const day = match[3] === undefined ? 1 : Number(match[3]);
  const value = fromParts(Number(match[1]), month, day);
  const back = toDate(value);
  return back.getUTCMonth() === month && back.getUTCDate() === day ? value : null;
}

const iso = utcFormat("%Y-%m-%d");
export const isoDay = (day: number): string => iso(toDate(day));

/** The first day of the bucket that holds `day`. */
export function floor(day: number, grain: Grain): number {
  if (grain === "day") return day;
  const date = toDate(day);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  if (grain === "month") return fromParts(year, month);
  return fromParts(year, grain === "quarter" ? month - (month % 3) : 0);
}

/** The first day of the bucket `count` after the one that starts on `start`. */
export function next(start: number, grain: Grain, count = 1): number {
  if (grain === "day") return start + count;
  const date = toDate(start);
  const months = grain === "month" ? 1 : grain === "quarter" ? 3 : 12;
  return fromParts(date.getUTCFullYear(), date.getUTCMonth() + months * count);
}

/** Every bucket from the one of `first` to the one of `last`. */
export function buckets(first: number, last: number, grain: Grain): number[] {
  const starts: number[] = [];
  for (let start = floor(first, grain); start <= last; start = next(start, grain)) starts.push(start);
  return starts;
}

const day = utcFormat("%-d %b %Y");
const month = utcFormat("%b %Y");
const year = utcFormat("%Y");

export const dayText = (value: number): string => day(toDate(value));

export function bucketText(start: number, grain: Grain): string {
  if (grain === "day") return dayText(start);
  if (grain === "month") return month(toDate(start));
  if (grain === "year") return year(toDate(start));
  return `Q${Math.floor(toDate(start).getUTCMonth() / 3) + 1} ${year(toDate(start))}`;
}

/** A range in the fewest words: `2003`, `Mar 2003`, `Mar – Jun 2003`, `5 Mar 2003 – 2 Apr 2004`. */
export function rangeText(from: number | null, to: number | null): string {
  if (from === null && to === null) return "All dates";
  if (from === null) return `until ${dayText(to!)}`;
  if (to === null) return `from ${dayText(from)}`;
  for (const grain of ["year", "quarter", "month"] as const) {
    if (floor(from, grain) === from && next(from, grain) === to + 1) return bucketText(from, grain);
  }
  if (floor(from, "year") === from && floor(to + 1, "year") === to + 1) {
    return `${year(toDate(from))} – ${year(toDate(to))}`;
  }
  if (floor(from, "month") === from && floor(to + 1, "month") === to + 1) {
    const same = toDate(from).getUTCFullYear() === toDate(to).getUTCFullYear();
    return `${same ? utcFormat("%b")(toDate(from)) : month(toDate(from))} – ${month(toDate(to))}`;
  }
  return from === to ? dayText(from) : `${dayText(from)} – ${dayText(to)}`;
}
