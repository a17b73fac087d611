/** One dashboard: builds its tiles, asks for their figures, and redraws only what changed. */

import type { Answers, Question } from "../answers.js";
import { AreaChart } from "../charts/area.js";
import { BarChart } from "../charts/bars.js";
import { Kpi } from "../charts/kpi.js";
import { Colors } from "../charts/shape.js";
import type { Context, Tile } from "../charts/tile.js";
import { announce, button, h, set } from "../dom.js";
import { columnsOf, numberFormat, type NumberFormat } from "../format.js";
import { sameFilter } from "../select.js";
import { toggle, withFilter, type State } from "../state.js";
import type { DashboardDoc, DimensionSpec, Filter, Filters, Grain, Grid, Key, MeasureSpec, TileSpec } from "../types.js";
import { FilterRow } from "./filters.js";
import { failure, panel } from "./panel.js";

export type Step = "push" | "replace";

export class Board implements Context {
  readonly element = h("div", { class: "board" });
  private readonly tiles: Tile[] = [];
  private readonly rows: Tile[][] = [];
  private readonly palettes = new Map<string, Colors>();
  private readonly formats = new Map<string, NumberFormat>();
  private readonly asked = new Map<Tile, number>();
  private readonly known = new Map<string, Promise<Grid>>();
  private readonly row: FilterRow;
  private readonly empty: HTMLElement;
  /** The last total, which the test for "nothing matches" asks for again. */
  private last: { filters: Filters; columns: string; grid: Grid } | null = null;
  private turn = 0;
  private dragFrom: State | null = null;

  constructor(
    readonly doc: DashboardDoc,
    private readonly answers: Answers,
    private state: State,
    private readonly remember: (state: State, step: Step) => void,
  ) {
    this.row = new FilterRow({
      doc,
      locked: (name) => this.locked(name),
      multi: (name) => doc.filters?.[name]?.multi !== false,
      choose: (name, filter) => this.apply(withFilter(this.state, name, filter), "push"),
      clear: () => this.clear(),
      values: (dimension) => this.values(dimension),
    });
    this.empty = h("div", { class: "nothing", hidden: true });
    this.element.append(this.row.element, this.empty);
    for (const specs of doc.layout) this.layoutRow(specs);
  }

  /** Draws everything for the first time. */
  async start(): Promise<void> {
    this.row.show(this.state);
    const whole: Filters = new Map([...this.state.filters].filter(([name]) => this.locked(name)));
    const grids = await Promise.all(this.tiles.map((tile) => this.ask(tile.question(this.state), whole)));
    this.tiles.forEach((tile, i) => {
      this.palette(tile.question(this.state), grids[i]!);
      tile.whole?.(grids[i]!);
    });
    for (const row of this.rows) {
      const most = Math.max(0, ...row.map((tile) => tile.wants?.() ?? 0));
      for (const tile of row) tile.room?.(most);
    }
    for (const tile of this.tiles) this.redraw(tile);
    this.check();
  }

  /** Goes to another state, however it came about (click, address, back button). */
  apply(state: State, step: Step | null): void {
    const before = this.state;
    this.state = state;
    const changed = new Set<string>();
    for (const { name } of this.doc.dimensions) if (!sameFilter(before.filters.get(name), state.filters.get(name))) changed.add(name);
    const regrained = this.doc.dimensions.some(({ name }) => before.grains.get(name) !== state.grains.get(name));
    if (changed.size === 0 && !regrained) return;
    for (const tile of this.tiles) {
      const { except, cuts } = tile.question(state);
      const grained = regrained && cuts.some((cut) => before.grains.get(cut.dimension) !== state.grains.get(cut.dimension));
      const others = [...changed].some((name) => name !== except);
      if (others || grained) this.redraw(tile);
      else if (except !== null && changed.has(except)) tile.mark(state);
    }
    this.row.show(state);
    this.check();
    if (step !== null) this.remember(state, step);
  }

  get current(): State {
    return this.state;
  }

  // What the tiles ask for.

  measure(name: string): MeasureSpec {
    const found = this.doc.measures.find((each) => each.name === name);
    if (found === undefined) throw new Error(`this dashboard has no measure ${name}`);
    return found;
  }

  dimension(name: string): DimensionSpec {
    const found = this.doc.dimensions.find((each) => each.name === name);
    if (found === undefined) throw new Error(`this dashboard has no dimension ${name}`);
    return found;
  }

  format(measure: MeasureSpec): NumberFormat {
    let made = this.formats.get(measure.name);
    if (made === undefined) this.formats.set(measure.name, (made = numberFormat(measure.format, measure.kind)));
    return made;
  }

  colors(dimension: string): Colors | null {
    return this.palettes.get(dimension) ?? null;
  }

  locked(dimension: string): boolean {
    return this.doc.filters?.[dimension]?.locked === true;
  }

  pick(dimension: string, key: Key, add: boolean): void {
    if (this.locked(dimension)) return;
    const multi = this.doc.filters?.[dimension]?.multi !== false;
    this.apply(withFilter(this.state, dimension, toggle(this.state.filters.get(dimension), key, add && multi)), "push");
  }

  range(dimension: string, from: number | null, to: number | null, done: boolean): void {
    const filter: Filter | undefined = from === null && to === null ? undefined : { kind: "range", from, to };
    const state = withFilter(this.state, dimension, filter);
    if (!done) {
      this.dragFrom ??= this.state;
      return this.apply(state, null);
    }
    const start = this.dragFrom ?? this.state;
    this.dragFrom = null;
    this.apply(state, null);
    if (!sameFilter(start.filters.get(dimension), filter)) this.remember(this.state, "push");
  }

  grain(dimension: string, grain: Grain): void {
    this.apply({ ...this.state, grains: new Map(this.state.grains).set(dimension, grain) }, "push");
  }

  private clear(): void {
    const kept = [...this.state.filters].filter(([name]) => this.locked(name));
    this.apply({ ...this.state, filters: new Map(kept) }, "push");
  }

  private layoutRow(specs: readonly TileSpec[]): void {
    const made: Tile[] = [];
    for (const spec of specs) {
      if (spec.kpi) made.push(new Kpi(spec.kpi, this));
      else if (spec.bar) made.push(new BarChart(spec.bar, this));
      else if (spec.area) made.push(new AreaChart(spec.area, this));
    }
    if (made.length === 0) return;
    this.tiles.push(...made);
    this.rows.push(made);
    const figures = specs.every((spec) => spec.kpi);
    this.element.append(h("div", { class: `row ${figures ? "figures" : "charts"} of-${Math.min(made.length, 4)}` }, ...made.map((tile) => tile.element)));
  }

  private palette(question: Question, grid: Grid): void {
    const [x, color] = question.cuts;
    const spec = this.doc.layout.flat().find(({ area }) => area?.color && area.color === color?.dimension);
    if (x === undefined || color === undefined || this.palettes.has(color.dimension) || !spec?.area) return;
    this.palettes.set(color.dimension, new Colors(grid, this.measure(spec.area.measure), 1));
  }

  private values(dimension: DimensionSpec): Grid | Promise<Grid> {
    const cut = dimension.kind === "date" ? { dimension: dimension.name, grain: "month" as const } : { dimension: dimension.name };
    return this.ask({ cuts: [cut], columns: columnsOf(this.doc.measures[0]!), except: null }, new Map());
  }

  /** The server is asked each question once: going back shows what was there. */
  private ask(question: Question, filters: Filters): Grid | Promise<Grid> {
    if (this.answers.where === "browser") {
      const same = question.cuts.length === 0 && this.last?.filters === filters && this.last.columns === question.columns.join();
      if (same) return this.last!.grid;
      const grid = this.answers.ask(question, filters);
      if (question.cuts.length === 0 && !(grid instanceof Promise)) this.last = { filters, columns: question.columns.join(), grid };
      return grid;
    }
    const id = JSON.stringify([question, [...filters].filter(([name]) => name !== question.except)]);
    let answer = this.known.get(id);
    if (answer === undefined) {
      answer = Promise.resolve(this.answers.ask(question, filters));
      this.known.set(id, answer);
      answer.catch(() => this.known.delete(id));
      if (this.known.size > 200) this.known.delete(this.known.keys().next().value!);
    }
    return answer;
  }

  private redraw(tile: Tile): void {
    const { state } = this;
    const grid = this.ask(tile.question(state), state.filters);
    if (!(grid instanceof Promise)) return tile.draw(grid, state);
    const turn = ++this.turn;
    this.asked.set(tile, turn);
    set(tile.element, "aria-busy", "true");
    tile.mark(state);
    const settle = (act: () => void): void => {
      if (this.asked.get(tile) !== turn) return;
      set(tile.element, "aria-busy", null);
      act();
    };
    grid.then(
      (answer) => settle(() => tile.draw(answer, this.state)),
      (error: unknown) => settle(() => this.failed(error)),
    );
  }

  private failed(error: unknown): void {
    if (error instanceof DOMException && error.name === "AbortError") return;
    this.element.querySelector(".panel.error")?.remove();
    const shown = failure(error, () => {
      shown.remove();
      for (const tile of this.tiles) this.redraw(tile);
    });
    this.row.element.after(shown);
  }

  /** Says so when the filters leave nothing, and tells screen readers how much is left. */
  private check(): void {
    const grid = this.ask({ cuts: [], columns: columnsOf(this.doc.measures[0]!), except: null }, this.state.filters);
    const show = (answer: Grid): void => {
      const nothing = !(answer.cells[0]! > 0);
      this.empty.hidden = !nothing;
      this.empty.replaceChildren(...(nothing ? [this.nothing()] : []));
      this.element.classList.toggle("is-empty", nothing);
      announce(nothing ? "Nothing matches these filters" : `${this.state.filters.size} filters active`);
    };
    if (grid instanceof Promise) grid.then(show, () => undefined);
    else show(grid);
  }

  private nothing(): HTMLElement {
    if (this.state.filters.size === 0) return panel("No rows yet", `${this.doc.model} is empty in this release.`);
    const again = button("Clear all filters", { class: "button" }, () => this.clear());
    return panel("Nothing matches these filters", "No row has this combination.", "empty", again);
  }
}
