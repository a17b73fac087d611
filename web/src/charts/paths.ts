/** A series as the `d` of a path: an area, columns, or a line. Pure. */

import { area, line } from "d3-shape";
import type { Series } from "./shape.js";

/** Left edge of bucket 0 and width of a bucket, in pixels; `y` from value to pixel. */
export interface Plot {
  readonly left: number;
  readonly step: number;
  readonly y: (value: number) => number;
}

const middle = (plot: Plot) => (i: number): number => plot.left + (i + 0.5) * plot.step;
const places = (each: Series): number[] => each.high.map((_, i) => i);

/** Broken where there is no value; a single value is a short dash. */
export function linePath(each: Series, plot: Plot): string {
  const x = middle(plot);
  const y = (i: number): number => plot.y(each.high[i]!);
  if (each.high.length === 1) return `M${x(0) - 6} ${y(0)}h12`;
  return line<number>(x, y).digits(1).defined((i) => !Number.isNaN(each.high[i]!))(places(each)) ?? "";
}

export function areaPath(each: Series, plot: Plot): string {
  const made = area<number>(middle(plot), (i) => plot.y(each.low[i]!), (i) => plot.y(each.high[i]!));
  return made.digits(1)(places(each)) ?? "";
}

export function columnsPath(each: Series, plot: Plot): string {
  const half = Math.min(plot.step * 0.36, 44);
  const column = (i: number): string => {
    const [x, low, high] = [middle(plot)(i) - half, plot.y(each.low[i]!), plot.y(each.high[i]!)];
    return `M${x.toFixed(1)} ${low.toFixed(1)}V${high.toFixed(1)}h${(2 * half).toFixed(1)}V${low.toFixed(1)}Z`;
  };
  return places(each).filter((i) => each.high[i] !== each.low[i]).map(column).join("");
}
