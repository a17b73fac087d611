/**
 * A selection of consecutive buckets: drag to make one, drag it to move it, drag a handle to change
 * one end, click a bucket, click elsewhere to clear. Handles are sliders for the keyboard.
 */

import { s, set } from "../dom.js";

export interface BrushPlace {
  /** Left edge of bucket 0, width of one bucket, number of buckets, top and height of the plot. */
  readonly left: number;
  readonly step: number;
  readonly count: number;
  readonly top: number;
  readonly height: number;
}

export type Span = readonly [from: number, to: number];

interface Drag {
  readonly mode: "new" | "move" | "from" | "to";
  readonly at: number;
  readonly x: number;
  readonly start: Span | null;
  moved: boolean;
}

export class Brush {
  readonly element: SVGGElement;
  private readonly back = s("rect", { class: "brush-back" });
  private readonly shades = [s("rect", { class: "brush-shade" }), s("rect", { class: "brush-shade" })] as const;
  private readonly body = s("rect", { class: "brush-body" });
  private readonly handles: readonly [SVGGElement, SVGGElement];
  private place: BrushPlace = { left: 0, step: 1, count: 0, top: 0, height: 0 };
  private span: Span | null = null;
  private drag: Drag | null = null;

  constructor(
    label: string,
    private readonly words: (index: number, end: "from" | "to") => string,
    private readonly change: (span: Span | null, done: boolean) => void,
  ) {
    const handle = (end: "from" | "to", name: string): SVGGElement => {
      const made = s(
        "g",
        { class: "brush-handle", role: "slider", tabindex: 0, "aria-label": `${label}, ${name}`, "data-handle": end },
        s("rect", { class: "brush-grip-hit" }),
        s("line", { class: "brush-line" }),
        s("rect", { class: "brush-grip", rx: 3 }),
      );
      made.addEventListener("keydown", (event) => this.key(event, end));
      return made;
    };
    this.handles = [handle("from", "start"), handle("to", "end")];
    this.element = s("g", { class: "brush" }, this.back, ...this.shades, this.body, ...this.handles);
    this.element.addEventListener("pointerdown", (event) => this.down(event));
    this.element.addEventListener("pointermove", (event) => this.move(event));
    this.element.addEventListener("pointerup", (event) => this.up(event));
    this.element.addEventListener("pointercancel", (event) => this.up(event));
  }

  get dragging(): boolean {
    return this.drag !== null;
  }

  /** The bucket under the pointer. */
  indexAt(event: PointerEvent): number {
    const box = this.back.getBoundingClientRect();
    const at = Math.floor((event.clientX - box.left) / this.place.step);
    return Math.min(Math.max(at, 0), this.place.count - 1);
  }

  draw(place: BrushPlace, span: Span | null): void {
    this.place = place;
    this.span = span;
    const { left, step, count, top, height } = place;
    const rect = (element: Element, x: number, width: number): void => {
      set(element, "x", x.toFixed(1));
      set(element, "y", top);
      set(element, "width", Math.max(0, width).toFixed(1));
      set(element, "height", height);
    };
    const [from, to] = span ?? [0, count - 1];
    const start = left + from * step;
    const end = left + (to + 1) * step;
    rect(this.back, left, count * step);
    rect(this.shades[0], left, span === null ? 0 : start - left);
    rect(this.shades[1], end, span === null ? 0 : left + count * step - end);
    rect(this.body, start, span === null ? 0 : end - start);
    set(this.element, "class", span === null ? "brush" : "brush on");
    this.handle(this.handles[0], start, from, "from", [0, to]);
    this.handle(this.handles[1], end, to, "to", [from, count - 1]);
  }

  private handle(group: SVGGElement, x: number, index: number, end: "from" | "to", [least, most]: Span): void {
    const { top, height } = this.place;
    const [hit, line, grip] = group.children as unknown as [Element, Element, Element];
    const values: [Element, Record<string, number>][] = [
      [hit, { x: x - 9, y: top, width: 18, height }],
      [line, { x1: x, x2: x, y1: top, y2: top + height }],
      [grip, { x: x - 3.5, y: top + height / 2 - 13, width: 7, height: 26 }],
    ];
    for (const [element, attributes] of values) {
      for (const [name, value] of Object.entries(attributes)) set(element, name, value.toFixed(1));
    }
    set(group, "aria-valuemin", least);
    set(group, "aria-valuemax", most);
    set(group, "aria-valuenow", index);
    set(group, "aria-valuetext", this.words(index, end));
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0 || this.place.count === 0) return;
    const target = event.target as Element;
    const end = target.closest<SVGGElement>(".brush-handle")?.dataset["handle"];
    const mode = end === "from" || end === "to" ? end : target === this.body ? "move" : "new";
    this.drag = { mode, at: this.indexAt(event), x: event.clientX, start: this.span, moved: false };
    this.element.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  private move(event: PointerEvent): void {
    const { drag } = this;
    if (drag === null || (!drag.moved && Math.abs(event.clientX - drag.x) < 4)) return;
    drag.moved = true;
    const span = this.dragged(drag, this.indexAt(event));
    if (this.span === null || span[0] !== this.span[0] || span[1] !== this.span[1]) this.change(span, false);
  }

  private dragged(drag: Drag, at: number): Span {
    const last = this.place.count - 1;
    const [from, to] = drag.start ?? [0, last];
    if (drag.mode === "new") return [Math.min(drag.at, at), Math.max(drag.at, at)];
    if (drag.mode === "from") return [Math.min(at, to), Math.max(at, to)];
    if (drag.mode === "to") return [Math.min(from, at), Math.max(from, at)];
    const shift = Math.min(Math.max(at - drag.at, -from), last - to);
    return [from + shift, to + shift];
  }

  private up(event: PointerEvent): void {
    const { drag } = this;
    if (drag === null) return;
    this.drag = null;
    if (drag.moved) return this.change(this.whole(this.dragged(drag, this.indexAt(event))), true);
    if (drag.mode !== "new") return;
    this.change(this.span === null ? [drag.at, drag.at] : null, true);
  }

  private key(event: KeyboardEvent, end: "from" | "to"): void {
    const last = this.place.count - 1;
    let [from, to] = this.span ?? [0, last];
    const step = event.shiftKey ? 3 : 1;
    const steps: Record<string, number> = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, Home: -last, End: last };
    if (event.key === "Escape") this.change(null, true);
    else {
      const shift = steps[event.key];
      if (shift === undefined) return;
      if (end === "from") from = Math.min(Math.max(from + shift, 0), to);
      else to = Math.max(Math.min(to + shift, last), from);
      this.change(this.whole([from, to]), true);
    }
    event.preventDefault();
  }

  private whole(span: Span): Span | null {
    return span[0] === 0 && span[1] === this.place.count - 1 ? null : span;
  }
}
