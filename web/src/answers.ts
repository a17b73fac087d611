/** Who answers the charts' questions: the cube in this page, at once, or the server, when it is done. */

import { api, ApiError, type QueryAnswer } from "./api.js";
import type { Cube } from "./cube.js";
import { buckets, floor, isoDay, parseDay } from "./dates.js";
import { Selector } from "./select.js";
import type { Axis, Column, Cut, DashboardDoc, Filter, Filters, Grain, Grid, Key } from "./types.js";

export interface Question {
  readonly cuts: readonly Cut[];
  readonly columns: readonly string[];
  /** The dimension whose own filter the chart ignores: it shows what could be chosen. */
  readonly except: string | null;
}

export interface Answers {
  readonly where: "browser" | "server";
  ask(question: Question, filters: Filters): Grid | Promise<Grid>;
}

export class CubeAnswers implements Answers {
  readonly where = "browser";
  private readonly selector: Selector;

  constructor(cube: Cube) {
    this.selector = new Selector(cube);
  }

  ask(question: Question, filters: Filters): Grid {
    this.selector.filter(filters);
    return this.selector.group(question.cuts, question.columns, question.except);
  }
}

const name = (column: string | { readonly name: string }): string => (typeof column === "string" ? column : column.name);

const filterBody = (filter: Filter): readonly Key[] =>
  filter.kind === "in"
    ? filter.values
    : [filter.from === null ? null : isoDay(filter.from), filter.to === null ? null : isoDay(filter.to)];

/** Text like `9604190.61` as an integer and a scale; the widest scale of the column serves all. */
export function parseColumn(values: readonly (string | number | null)[]): Column {
  const texts = values.map((value) => (value === null ? "0" : String(value)));
  const plain = texts.every((text) => /^-?\d+(\.\d+)?$/.test(text));
  const scale = plain ? Math.max(0, ...texts.map((text) => text.split(".")[1]?.length ?? 0)) : 0;
  const raw = Float64Array.from(texts, (text) => {
    if (!plain) return Number(text);
    const [whole = "0", part = ""] = text.split(".");
    return Number(whole + part.padEnd(scale, "0"));
  });
  const exact = plain && raw.every(Number.isSafeInteger);
  return exact ? { raw, scale, exact } : { raw: Float64Array.from(texts, Number), scale: 0, exact: false };
}

function axisOf(cut: Cut, values: readonly (string | number | null)[], date: boolean, grain: Grain): { axis: Axis; at: Int32Array } {
  if (!date) {
    const keys = [...new Set(values.map((value) => (value === null ? null : String(value))))];
    const place = new Map(keys.map((key, i) => [key, i]));
    return { axis: { cut, keys, days: [] }, at: Int32Array.from(values, (value) => place.get(value === null ? null : String(value))!) };
  }
  const starts = values.map((value) => {
    const day = value === null ? null : typeof value === "number" ? value : parseDay(value.slice(0, 10));
    return day === null ? null : floor(day, grain);
  });
  const known = starts.filter((start) => start !== null);
  const days = known.length === 0 ? [] : buckets(known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b)), grain);
  const place = new Map(days.map((day, i) => [day, i]));
  return { axis: { cut, keys: [], days }, at: Int32Array.from(starts, (start) => (start === null ? -1 : place.get(start)!)) };
}

/** The server's rows as a grid. */
export function toGrid(answer: QueryAnswer, question: Question, isDate: (dimension: string) => boolean): Grid {
  const names = answer.columns.map(name);
  const axes = question.cuts.map((cut, i) =>
    axisOf(cut, answer.rows.map((row) => row[i] ?? null), isDate(cut.dimension), cut.grain ?? "day"),
  );
  const sizes = axes.map(({ axis }) => Math.max(axis.keys.length, axis.days.length));
  const total = sizes.reduce((all, size) => all * size, 1);
  const cells = new Float64Array(total);
  const columns = new Map<string, { raw: Float64Array; scale: number; exact: boolean }>();
  const parsed = question.columns.map((column) => {
    const at = names.indexOf(column);
    if (at < 0) throw new ApiError(0, `The server's answer has no column ${column}`);
    return parseColumn(answer.rows.map((row) => row[at] ?? null));
  });
  question.columns.forEach((column, c) => columns.set(column, { ...parsed[c]!, raw: new Float64Array(total) }));
  answer.rows.forEach((row, r) => {
    const places = axes.map(({ at }) => at[r]!);
    if (places.some((place) => place < 0)) return;
    const at = places.reduce((sum, place, i) => sum * sizes[i]! + place, 0);
    if (row.slice(axes.length).every((value) => value === null)) return;
    cells[at]!++;
    question.columns.forEach((column, c) => (columns.get(column)!.raw[at]! += parsed[c]!.raw[r]!));
  });
  return { axes: axes.map(({ axis }) => axis), cells, columns };
}

export class ServerAnswers implements Answers {
  readonly where = "server";

  constructor(
    private readonly doc: DashboardDoc,
    private readonly signal: AbortSignal,
  ) {}

  async ask(question: Question, filters: Filters): Promise<Grid> {
    const body: Record<string, readonly Key[]> = {};
    for (const [dimension, filter] of filters) if (dimension !== question.except) body[dimension] = filterBody(filter);
    const group = question.cuts.map((cut) => (cut.grain === undefined ? cut.dimension : `${cut.dimension}.${cut.grain}`));
    const answer = await api.query(this.doc.name, { filters: body, group, measures: question.columns }, this.signal);
    return toGrid(answer, question, (dimension) => this.doc.dimensions.some((each) => each.name === dimension && each.kind === "date"));
  }
}
