/** Ticks: dates that fall on buckets, and values in round steps. */

import { scaleUtc } from "d3-scale";
import { utcFormat } from "d3-time-format";
import { toDate } from "../dates.js";
import type { Grain } from "../types.js";

export interface DateTick {
  readonly index: number;
  readonly text: string;
  /** The first bucket of a year: drawn stronger. */
  readonly strong: boolean;
}

const year = utcFormat("%Y");
const month = utcFormat("%b");
const day = utcFormat("%-d %b");

function tickText(start: number, grain: Grain, alone: boolean): string {
  const date = toDate(start);
  if (grain === "year" || (date.getUTCMonth() === 0 && date.getUTCDate() === 1)) return year(date);
  if (alone) return `${grain === "day" ? day(date) : month(date)} ${year(date)}`;
  if (grain === "quarter") return `Q${date.getUTCMonth() / 3 + 1}`;
  return date.getUTCDate() === 1 && grain === "month" ? month(date) : day(date);
}

/** At most about one tick per 64 pixels; the text names the year where it begins. */
export function dateTicks(days: readonly number[], grain: Grain, width: number): DateTick[] {
  const first = days[0];
  const last = days[days.length - 1];
  if (first === undefined || last === undefined) return [];
  const most = Math.max(2, Math.floor(width / 64));
  const place = new Map(days.map((start, i) => [start, i]));
  let starts: number[];
  if (days.length <= most) starts = [...days];
  else {
    const ticks = scaleUtc([toDate(first), toDate(last)], [0, 1]).ticks(most);
    starts = [...new Set(ticks.map((tick) => Math.round(tick.getTime() / 86_400_000)))].filter((start) => place.has(start));
  }
  const named = starts.some((start) => toDate(start).getUTCMonth() === 0 && toDate(start).getUTCDate() === 1);
  return starts.map((start, i) => {
    const text = tickText(start, grain, !named && i === 0);
    return { index: place.get(start)!, text, strong: /^\d{4}$/.test(text) };
  });
}
