/** Horizontal bars: the largest values of a category. A click filters every other chart. */

import { scaleLinear } from "d3-scale";
import type { Question } from "../answers.js";
import { h, s, set, setText, table } from "../dom.js";
import { columnsOf, integer, isAdditive, share, type NumberFormat } from "../format.js";
import type { State } from "../state.js";
import type { BarSpec, Filter, Grid, Key, MeasureSpec } from "../types.js";
import { Card, ellipsis, onWidth, textWidth } from "./card.js";
import { barRows, type BarRow, type Bars } from "./shape.js";
import type { Context, Tile } from "./tile.js";
import { hideTip, showTip } from "./tooltip.js";

interface Mark {
  readonly group: SVGGElement;
  readonly hit: SVGRectElement;
  readonly bar: SVGRectElement;
  readonly name: SVGTextElement;
  readonly value: SVGTextElement;
  row: BarRow;
}

const MIN_ROW = 25;
const MAX_ROW = 43;

export class BarChart implements Tile {
  readonly element: HTMLElement;
  private readonly card: Card;
  private readonly svg: SVGSVGElement;
  private readonly more = h("p", { class: "more" });
  private readonly measure: MeasureSpec;
  private readonly format: NumberFormat;
  private readonly marks = new Map<Key, Mark>();
  private grid: Grid | null = null;
  private bars: Bars = { rows: [], others: 0, rest: NaN, total: 0 };
  private filter: Filter | undefined;
  private width = 0;
  /** Rows that there is room for, when the chart has neighbours, and when it has its row to itself. */
  private slots = 0;
  private own = 0;
  private alone = false;
  private focused: Key | undefined;

  constructor(
    private readonly spec: BarSpec,
    private readonly context: Context,
  ) {
    this.measure = context.measure(spec.measure);
    this.format = context.format(this.measure);
    const by = context.dimension(spec.by);
    const title = spec.title || `${this.measure.label} by ${by.label.toLowerCase()}`;
    this.card = new Card(title, "bar-card", () => this.table());
    this.element = this.card.element;
    set(this.element, "data-bar", spec.by);
    this.svg = s("svg", { class: "bars", role: "group", "aria-label": `${title}. Arrow keys move, Enter filters.` });
    this.card.body.append(this.svg, this.more);
    this.svg.addEventListener("click", (event) => this.click(event));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", hideTip);
    onWidth(this.card.body, (width) => {
      this.width = width;
      const row = this.element.parentElement;
      this.alone = row !== null && this.element.offsetWidth > row.clientWidth / 2;
      if (this.grid !== null) this.paint();
    });
  }

  question(): Question {
    return { cuts: [{ dimension: this.spec.by }], columns: columnsOf(this.measure), except: this.spec.by };
  }

  whole(grid: Grid): void {
    const { rows } = barRows(grid, this.measure, this.format, this.top, undefined);
    this.slots = this.own = Math.max(rows.length, 1);
  }

  wants(): number {
    return this.slots;
  }

  room(rows: number): void {
    this.slots = Math.max(rows, 1);
  }

  draw(grid: Grid, state: State): void {
    this.grid = grid;
    this.mark(state);
  }

  mark(state: State): void {
    if (this.grid === null) return;
    this.filter = state.filters.get(this.spec.by);
    this.bars = barRows(this.grid, this.measure, this.format, this.top, this.filter);
    this.paint();
    this.card.refresh();
  }

  private get top(): number {
    return this.spec.top ?? 12;
  }

  private paint(): void {
    if (this.width === 0) return;
    const { rows } = this.bars;
    const height = Math.max(this.alone ? this.own : this.slots, rows.length) * MIN_ROW;
    const step = Math.min(MAX_ROW, height / Math.max(rows.length, 1));
    const thick = Math.round(step * 0.68);
    const room = Math.ceil(Math.min(this.width * 0.36, Math.max(24, ...rows.map((row) => textWidth(row.label)))));
    const texts = rows.map((row) => this.format.compact(row.value));
    const side = Math.max(16, ...texts.map((text) => textWidth(text, 11.5))) + 14;
    const values = rows.map((row) => row.value).filter((value) => !Number.isNaN(value));
    const low = Math.min(0, ...values);
    const high = Math.max(0, ...values);
    const left = room + 8;
    const start = low < 0 ? left + side : left;
    const x = scaleLinear([low, high === low ? low + 1 : high], [start, Math.max(start + 8, this.width - side)]);
    set(this.svg, "width", this.width);
    set(this.svg, "height", height);
    set(this.svg, "viewBox", `0 0 ${this.width} ${height}`);
    const chosen = this.filter?.kind === "in" ? new Set(this.filter.values) : null;
    const kept = new Set<Key>();
    rows.forEach((row, i) => {
      kept.add(row.key);
      const mark = this.markOf(row);
      const zero = x(0);
      const end = Number.isNaN(row.value) ? zero : x(row.value);
      const size = row.value === 0 || Number.isNaN(row.value) ? 0 : Math.max(2, Math.abs(end - zero));
      const pressed = chosen?.has(row.key) ?? false;
      const top = Math.round((step - thick) / 2);
      set(mark.group, "transform", `translate(0 ${Math.round(i * step)})`);
      set(mark.group, "aria-pressed", String(pressed));
      set(mark.group, "aria-label", this.say(row));
      set(mark.group, "class", chosen === null || pressed ? `bar fill-${this.color(row.key)}` : "bar off");
      set(mark.hit, "width", this.width);
      set(mark.hit, "height", Math.round(step));
      set(mark.bar, "x", (row.value < 0 ? zero - size : zero).toFixed(1));
      set(mark.bar, "y", top);
      set(mark.bar, "width", size.toFixed(1));
      set(mark.bar, "height", thick);
      set(mark.name, "x", room);
      set(mark.name, "y", Math.round(step / 2));
      setText(mark.name, ellipsis(row.label, room));
      set(mark.value, "x", (row.value < 0 ? zero - size - 6 : zero + size + 6).toFixed(1));
      set(mark.value, "y", Math.round(step / 2));
      set(mark.value, "text-anchor", row.value < 0 ? "end" : "start");
      setText(mark.value, texts[i]!);
    });
    for (const [key, mark] of this.marks) {
      if (kept.has(key)) continue;
      mark.group.remove();
      this.marks.delete(key);
    }
    this.order();
    const rest = this.bars.others === 0 ? "" : `and ${integer(this.bars.others)} more${Number.isNaN(this.bars.rest) ? "" : `: ${this.format.compact(this.bars.rest)}`}`;
    setText(this.more, rest);
    this.describe();
  }

  private describe(): void {
    const { rows, others } = this.bars;
    const first = rows[0];
    this.card.describe(first === undefined ? "Nothing to show." : `${integer(rows.length + others)} values; the largest is ${first.label} with ${first.text}.`);
  }

  /** Reading order follows the picture; one bar alone is in the tab order. */
  private order(): void {
    let before: Element | null = null;
    const active = this.bars.rows.some((row) => row.key === this.focused) ? this.focused : this.bars.rows[0]?.key;
    for (const row of this.bars.rows) {
      const { group } = this.marks.get(row.key)!;
      const here: Element | null = before === null ? this.svg.firstElementChild : before.nextElementSibling;
      if (here !== group) this.place(group, here);
      set(group, "tabindex", row.key === active ? 0 : -1);
      before = group;
    }
  }

  /** Moving a focused element drops its focus: it is given back. */
  private place(group: SVGGElement, before: Element | null): void {
    const focused = document.activeElement === group;
    this.svg.insertBefore(group, before);
    if (focused) group.focus({ preventScroll: true });
  }

  private markOf(row: BarRow): Mark {
    const known = this.marks.get(row.key);
    if (known !== undefined) {
      known.row = row;
      return known;
    }
    const mark: Mark = {
      hit: s("rect", { class: "hit", rx: 4 }),
      bar: s("rect", { class: "mark", rx: 3 }),
      name: s("text", { class: "bar-name", "text-anchor": "end", dy: "0.35em" }),
      value: s("text", { class: "bar-value", dy: "0.35em" }),
      group: s("g", { role: "button", "data-key": row.key ?? "~null" }),
      row,
    };
    mark.group.append(mark.hit, mark.bar, mark.name, mark.value);
    if (this.context.locked(this.spec.by)) set(mark.group, "aria-disabled", "true");
    this.marks.set(row.key, mark);
    this.svg.append(mark.group);
    return mark;
  }

  private say(row: BarRow): string {
    const part = isAdditive(this.measure) ? share(row.value, this.bars.total) : "";
    return `${row.label}: ${row.text}${part === "" ? "" : `, ${part}`}`;
  }

  private color(key: Key): number {
    return this.context.colors(this.spec.by)?.of(key) ?? 0;
  }

  private find(event: Event): Mark | undefined {
    const group = (event.target as Element).closest("g.bar");
    for (const mark of this.marks.values()) if (mark.group === group) return mark;
    return undefined;
  }

  private click(event: MouseEvent): void {
    const mark = this.find(event);
    if (mark === undefined) return;
    this.focused = mark.row.key;
    this.context.pick(this.spec.by, mark.row.key, event.shiftKey || event.ctrlKey || event.metaKey);
  }

  private key(event: KeyboardEvent): void {
    const mark = this.find(event);
    if (mark === undefined) return;
    const { rows } = this.bars;
    const at = rows.findIndex((row) => row.key === mark.row.key);
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
    const to = steps[event.key];
    if (event.key === "Enter" || event.key === " ") {
      this.context.pick(this.spec.by, mark.row.key, event.shiftKey || event.ctrlKey || event.metaKey);
    } else if (to === undefined) return;
    else {
      const row = rows[Math.min(Math.max(to, 0), rows.length - 1)];
      if (row === undefined) return;
      this.focused = row.key;
      this.order();
      this.marks.get(row.key)!.group.focus();
    }
    event.preventDefault();
  }

  private hover(event: PointerEvent): void {
    const mark = event.pointerType === "touch" ? undefined : this.find(event);
    if (mark === undefined) return hideTip();
    const part = isAdditive(this.measure) ? share(mark.row.value, this.bars.total) : "";
    const rows = [{ label: this.measure.label, value: mark.row.text }];
    showTip(event.clientX, event.clientY, mark.row.label, part === "" ? rows : [...rows, { label: "Share", value: part }]);
  }

  private table(): HTMLTableElement {
    const { rows, others, rest, total } = this.bars;
    const additive = isAdditive(this.measure);
    const body = rows.map((row) => [row.label, row.text, ...(additive ? [share(row.value, total)] : [])]);
    if (others > 0 && additive) body.push([`${integer(others)} more`, this.format.plain(rest), share(rest, total)]);
    const head = [this.context.dimension(this.spec.by).label, this.measure.label, ...(additive ? ["Share"] : [])];
    return table(head, body, [false, true, true], this.svg.getAttribute("aria-label") ?? "");
  }
}
