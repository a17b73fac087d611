/** What a chart is to the page, and what the page is to a chart. */

import type { Question } from "../answers.js";
import type { NumberFormat } from "../format.js";
import type { State } from "../state.js";
import type { DashboardDoc, DimensionSpec, Grain, Grid, Key, MeasureSpec } from "../types.js";
import type { Colors } from "./shape.js";

export interface Tile {
  readonly element: HTMLElement;
  question(state: State): Question;
  /** Draws an answer; called only when it may have changed. */
  draw(grid: Grid, state: State): void;
  /** Shows the tile's own selection, with the answer as it stands. */
  mark(state: State): void;
  /** Called once with the answer without filters, before the first draw. */
  whole?(grid: Grid): void;
  /** How many rows the tile would like, so that neighbours agree on a height. */
  wants?(): number;
  room?(rows: number): void;
}

export interface Context {
  readonly doc: DashboardDoc;
  measure(name: string): MeasureSpec;
  format(measure: MeasureSpec): NumberFormat;
  dimension(name: string): DimensionSpec;
  /** The colours of a dimension's values, when a chart stacks by it. */
  colors(dimension: string): Colors | null;
  locked(dimension: string): boolean;
  pick(dimension: string, key: Key, add: boolean): void;
  /** `done`: the drag has ended, the state enters the browser's history. */
  range(dimension: string, from: number | null, to: number | null, done: boolean): void;
  grain(dimension: string, grain: Grain): void;
}
