/** One large figure, its exact value for those who ask, and its share of the whole when filtered. */

import type { Question } from "../answers.js";
import { h, set, setText } from "../dom.js";
import { columnsOf, headline, isAdditive, share, textAt, valueAt, type NumberFormat } from "../format.js";
import type { State } from "../state.js";
import type { Grid, MeasureSpec } from "../types.js";
import type { Context, Tile } from "./tile.js";

export class Kpi implements Tile {
  readonly element: HTMLElement;
  private readonly value = h("p", { class: "kpi-value", role: "img" });
  private readonly note = h("p", { class: "kpi-note" });
  private readonly meter = h("span", { class: "meter-fill" });
  private readonly measure: MeasureSpec;
  private readonly format: NumberFormat;
  private all: Grid | null = null;

  constructor(name: string, context: Context) {
    this.measure = context.measure(name);
    this.format = context.format(this.measure);
    this.element = h(
      "section",
      { class: "card kpi", "data-kpi": name },
      h("div", { class: "kpi-head" }, h("h2", { class: "kpi-label", title: this.measure.label }, this.measure.label), this.note),
      this.value,
      h("span", { class: "meter", "aria-hidden": "true" }, this.meter),
    );
  }

  question(): Question {
    return { cuts: [], columns: columnsOf(this.measure), except: null };
  }

  whole(grid: Grid): void {
    this.all = grid;
  }

  draw(grid: Grid, _state: State): void {
    const value = valueAt(grid, this.measure, 0);
    const exact = textAt(grid, this.measure, this.format, 0);
    setText(this.value, this.short(grid));
    set(this.value, "title", exact);
    set(this.value, "aria-label", `${this.measure.label}: ${exact}`);
    const all = this.all === null ? NaN : valueAt(this.all, this.measure, 0);
    const filtered = !Number.isNaN(all) && value !== all;
    const additive = isAdditive(this.measure);
    const part = additive && filtered ? share(Number.isNaN(value) ? 0 : value, all) : "";
    const whole = this.all === null || Number.isNaN(all) ? "" : this.short(this.all);
    if (!filtered) this.note.replaceChildren();
    else if (part === "") this.note.replaceChildren(`all: ${whole}`);
    else this.note.replaceChildren(part, h("span", { class: "of" }, ` of ${whole}`));
    set(this.element, "data-filtered", filtered && part !== "");
    const width = part === "" ? 0 : Math.min(100, Math.max(0, ((Number.isNaN(value) ? 0 : value) / all) * 100));
    this.meter.style.width = `${width}%`;
  }

  /** Whole numbers are written out as long as they fit. */
  private short(grid: Grid): string {
    const value = valueAt(grid, this.measure, 0);
    const column = isAdditive(this.measure) ? grid.columns.get(this.measure.name) : undefined;
    const whole = column?.scale === 0 && column.exact && Math.abs(value) < 10_000_000;
    return whole && !this.format.short ? textAt(grid, this.measure, this.format, 0) : headline(value, this.measure, this.format);
  }

  mark(): void {
    // A figure has no selection of its own.
  }
}
