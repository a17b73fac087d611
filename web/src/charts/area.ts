/** A measure over time: stacked areas (columns when buckets are few), or lines for averages and ratios. */

import { scaleLinear } from "d3-scale";
import type { Question } from "../answers.js";
import { bucketText, dayText, next } from "../dates.js";
import { button, h, s, set, table } from "../dom.js";
import { columnsOf, type NumberFormat } from "../format.js";
import type { State } from "../state.js";
import type { AreaSpec, Filter, Grain, Grid, Key, MeasureSpec } from "../types.js";
import { dateTicks } from "./axis.js";
import { Brush, type Span } from "./brush.js";
import { Card, onWidth, textWidth } from "./card.js";
import { areaPath, columnsPath, linePath, type Plot } from "./paths.js";
import { areas, type Areas, type Colors, type Series } from "./shape.js";
import type { Context, Tile } from "./tile.js";
import { hideTip, showTip } from "./tooltip.js";

const HEIGHT = 280;
const TOP = 10;
const BOTTOM = 26;
const FEW = 8;
const GRAINS: readonly Grain[] = ["day", "month", "quarter", "year"];

export class AreaChart implements Tile {
  readonly element: HTMLElement;
  private readonly card: Card;
  private readonly svg: SVGSVGElement;
  private readonly grid = s("g", { class: "axis", "aria-hidden": "true" });
  private readonly layer = s("g", { class: "series", "aria-hidden": "true" });
  /** The upper edge of an area that stands alone. */
  private readonly outline = s("path", { class: "line-mark stroke-0", "aria-hidden": "true" });
  private readonly cursor = s("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM });
  private readonly brush: Brush;
  private readonly legend = h("div", { class: "legend" });
  private readonly grains = h("div", { class: "segments", role: "group", "aria-label": "Time step" });
  private readonly measure: MeasureSpec;
  private readonly format: NumberFormat;
  private readonly date: string;
  private readonly base: Grain;
  private readonly paths = new Map<string, SVGPathElement>();
  private data: Areas = { days: [], series: [], stacked: true, totals: [], min: 0, max: 0 };
  private step: Grain;
  private answer: Grid | null = null;
  private plot: Plot = { left: 0, step: 1, y: () => 0 };
  private filter: Filter | undefined;
  private width = 0;

  constructor(
    private readonly spec: AreaSpec,
    private readonly context: Context,
  ) {
    this.measure = context.measure(spec.measure);
    this.format = context.format(this.measure);
    const cut = spec.x.lastIndexOf(".");
    this.date = cut < 0 ? spec.x : spec.x.slice(0, cut);
    this.base = this.step = cut < 0 ? "month" : (spec.x.slice(cut + 1) as Grain);
    const by = spec.color ? ` by ${context.dimension(spec.color).label.toLowerCase()}` : "";
    const title = spec.title || `${this.measure.label} over time${by}`;
    this.card = new Card(title, "area-card", () => this.table());
    this.element = this.card.element;
    set(this.element, "data-area", this.date);
    const dates = context.dimension(this.date).label;
    this.brush = new Brush(
      dates,
      (index, end) => {
        const start = this.data.days[index];
        return start === undefined ? "" : dayText(end === "from" ? start : next(start, this.step) - 1);
      },
      (span, done) => this.brushed(span, done),
    );
    this.svg = s("svg", { class: "area", role: "group", "aria-label": title, height: HEIGHT }, this.grid, this.layer, this.outline, this.cursor);
    if (this.brushes) this.svg.append(this.brush.element);
    this.card.tools.prepend(this.grains);
    this.card.body.append(this.legend, this.svg);
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    onWidth(this.card.body, (width) => {
      this.width = width;
      if (this.answer !== null) this.paint();
    });
  }

  private get brushes(): boolean {
    return Boolean(this.spec.brush) && !this.context.locked(this.date);
  }

  question(state: State): Question {
    const color = this.spec.color ? [{ dimension: this.spec.color }] : [];
    const grain = state.grains.get(this.date) ?? this.base;
    return {
      cuts: [{ dimension: this.date, grain }, ...color],
      columns: columnsOf(this.measure),
      except: this.brushes ? this.date : null,
    };
  }

  draw(grid: Grid, state: State): void {
    this.answer = grid;
    this.step = state.grains.get(this.date) ?? this.base;
    this.data = areas(grid, this.measure, this.colors);
    this.filter = state.filters.get(this.date);
    this.segments();
    this.legends(state);
    this.paint();
    this.card.refresh();
  }

  mark(state: State): void {
    this.filter = state.filters.get(this.date);
    this.legends(state);
    this.place();
  }

  private get colors(): Colors | null {
    return this.spec.color ? this.context.colors(this.spec.color) : null;
  }

  private segments(): void {
    const finest = this.context.dimension(this.date).grain ?? "day";
    const { days } = this.data;
    const length = days.length === 0 ? 0 : next(days[days.length - 1]!, this.step) - days[0]!;
    const fits = (grain: Grain): boolean => {
      if (grain === this.base || grain === this.step) return true;
      if (grain === "day") return length <= 800;
      return grain !== "year" || length > 366;
    };
    const offered = GRAINS.slice(GRAINS.indexOf(finest)).filter(fits);
    if (this.grains.children.length !== offered.length) {
      const made = offered.map((grain) =>
        button(grain[0]!.toUpperCase() + grain.slice(1), { class: "segment", "data-grain": grain }, () => this.context.grain(this.date, grain)),
      );
      this.grains.replaceChildren(...made);
      this.grains.hidden = offered.length < 2;
    }
    for (const each of this.grains.children) set(each, "aria-pressed", String((each as HTMLElement).dataset["grain"] === this.step));
  }

  private legends(state: State): void {
    const { colors } = this;
    const dimension = this.spec.color;
    if (colors === null || !dimension) return;
    const filter = state.filters.get(dimension);
    const chosen = filter?.kind === "in" ? filter.values : [];
    if (this.legend.children.length === 0) {
      for (const key of colors.named()) this.legend.append(this.entry(dimension, key, colors.of(key)));
      if (colors.hasRest()) this.legend.append(h("span", { class: "legend-entry rest" }, h("span", { class: "swatch bg-8" }), "Others"));
    }
    colors.named().forEach((key, i) => {
      const pressed = chosen.includes(key);
      const element = this.legend.children[i]!;
      set(element, "aria-pressed", String(pressed));
      set(element, "class", chosen.length > 0 && !pressed ? "legend-entry off" : "legend-entry");
    });
  }

  private entry(dimension: string, key: Key, color: number): HTMLButtonElement {
    const made = button(h("span", { class: `swatch bg-${color}` }), { class: "legend-entry", "data-key": key ?? "~null" }, (event) =>
      this.context.pick(dimension, key, event.shiftKey || event.ctrlKey || event.metaKey),
    );
    made.append(key === null ? "Unknown" : key === "" ? "(empty)" : key);
    made.disabled = this.context.locked(dimension);
    return made;
  }

  private paint(): void {
    if (this.width === 0) return;
    const { days, min, max } = this.data;
    const [, top = 1] = scaleLinear([0, max > 0 || min < 0 ? max : 1], [0, 1]).nice(4).domain();
    const scale = scaleLinear([min * 1.04, top], [HEIGHT - BOTTOM, TOP]);
    const ticks = scale.ticks(4);
    const left = Math.ceil(Math.max(24, ...ticks.map((tick) => textWidth(this.format.tick(tick), 11.5)))) + 10;
    const step = (this.width - left - 4) / Math.max(days.length, 1);
    this.plot = { left, step, y: scale };
    set(this.svg, "width", this.width);
    set(this.svg, "viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.axes(ticks);
    this.draws();
    this.place();
    this.describe();
  }

  private axes(ticks: readonly number[]): void {
    const { left, step, y } = this.plot;
    const parts: SVGElement[] = [];
    for (const tick of ticks) {
      const at = Math.round(y(tick)) + 0.5;
      parts.push(s("line", { class: tick === 0 ? "zero" : "rule", x1: left, x2: this.width, y1: at, y2: at }));
      parts.push(s("text", { x: left - 8, y: at, dy: "0.35em", "text-anchor": "end" }, this.format.tick(tick)));
    }
    for (const tick of dateTicks(this.data.days, this.step, this.width - left)) {
      const x = left + (tick.index + 0.5) * step;
      const half = textWidth(tick.text, 11.5) / 2;
      const inside = Math.min(Math.max(x, left + half - 6), this.width - half);
      parts.push(s("text", { class: tick.strong ? "strong" : null, x: inside.toFixed(1), y: HEIGHT - 8, "text-anchor": "middle" }, tick.text));
    }
    this.grid.replaceChildren(...parts);
  }

  private draws(): void {
    const { series, stacked } = this.data;
    const alone = this.colors === null && !this.columns;
    const kept = new Set<string>();
    for (const each of series) {
      const id = `${each.color}:${each.label}`;
      kept.add(id);
      let path = this.paths.get(id);
      if (path === undefined) {
        path = s("path", { "data-series": each.label });
        this.paths.set(id, path);
        this.layer.append(path);
      }
      set(path, "class", stacked ? `area-mark fill-${each.color}${alone ? " alone" : ""}` : `line-mark stroke-${each.color}`);
      set(path, "d", this.shape(each));
    }
    set(this.outline, "d", stacked && alone && series[0] !== undefined ? linePath(series[0], this.plot) : "");
    for (const [id, path] of this.paths) {
      if (kept.has(id)) continue;
      path.remove();
      this.paths.delete(id);
    }
  }

  /** Few buckets, and sums below zero, are columns: an area would draw a slope through zero that is not there. */
  private get columns(): boolean {
    return this.data.days.length <= FEW || this.data.min < 0;
  }

  private shape(each: Series): string {
    if (!this.data.stacked) return linePath(each, this.plot);
    return this.columns ? columnsPath(each, this.plot) : areaPath(each, this.plot);
  }

  private place(): void {
    if (!this.brushes || this.width === 0) return;
    const { left, step } = this.plot;
    this.brush.draw({ left, step, count: this.data.days.length, top: TOP, height: HEIGHT - TOP - BOTTOM }, this.span());
  }

  /** The buckets that the filter touches; null without a filter. */
  private span(): Span | null {
    const { filter, step } = this;
    const { days } = this.data;
    if (filter?.kind !== "range" || days.length === 0) return null;
    const from = filter.from === null ? 0 : days.findIndex((start) => next(start, step) > filter.from!);
    const to = filter.to === null ? days.length - 1 : days.findLastIndex((start) => start <= filter.to!);
    if (from < 0) return [days.length - 1, days.length - 1];
    return [from, Math.max(from, to)];
  }

  private brushed(span: Span | null, done: boolean): void {
    hideTip();
    if (span === null) return this.context.range(this.date, null, null, done);
    const { days } = this.data;
    this.context.range(this.date, days[span[0]]!, next(days[span[1]]!, this.step) - 1, done);
  }

  private hover(event: PointerEvent): void {
    const { days, series, stacked, totals } = this.data;
    const { left, step } = this.plot;
    const at = Math.floor((event.clientX - this.svg.getBoundingClientRect().left - left) / step);
    if (this.brush.dragging || event.pointerType === "touch" || at < 0 || at >= days.length) return this.leave();
    const x = (left + (at + 0.5) * step).toFixed(1);
    set(this.cursor, "x1", x);
    set(this.cursor, "x2", x);
    set(this.cursor, "class", "cursor on");
    const rows = series
      .filter((each) => !Number.isNaN(each.values[at]!) && (!stacked || each.values[at] !== 0))
      .map((each) => ({ color: each.color, label: each.label, value: this.format.plain(each.values[at]!) }));
    if (stacked && rows.length > 1) rows.push({ color: -1, label: "Total", value: this.format.plain(totals[at]!) });
    showTip(event.clientX, event.clientY, bucketText(days[at]!, this.step), rows.length > 0 ? rows : [{ label: "Nothing", value: "" }]);
  }

  private leave(): void {
    set(this.cursor, "class", "cursor");
    hideTip();
  }

  private describe(): void {
    const { days, totals, stacked } = this.data;
    const first = days[0];
    if (first === undefined) return this.card.describe("Nothing to show.");
    const reach = `${bucketText(first, this.step)} to ${bucketText(days[days.length - 1]!, this.step)}`;
    const best = totals.reduce((at, value, i) => (value > totals[at]! ? i : at), 0);
    const peak = stacked ? `; the highest is ${bucketText(days[best]!, this.step)} with ${this.format.plain(totals[best]!)}` : "";
    this.card.describe(`${reach}, by ${this.step}${peak}.`);
  }

  private table(): HTMLTableElement {
    const { days, series, totals, stacked } = this.data;
    const many = stacked && series.length > 1;
    const rows = days.map((start, i) => [
      bucketText(start, this.step),
      ...series.map((each) => this.format.plain(each.values[i]!)),
      ...(many ? [this.format.plain(totals[i]!)] : []),
    ]);
    const head = [this.context.dimension(this.date).label, ...series.map((each) => each.label), ...(many ? ["Total"] : [])];
    return table(head, rows, head.map((_, i) => i > 0), this.measure.label);
  }
}
