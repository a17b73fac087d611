/** The frame of a chart: title, tools, and the same figures as a table. */

import { button, h, icon, set, setText } from "../dom.js";

let serial = 0;

export class Card {
  readonly element: HTMLElement;
  readonly body: HTMLElement;
  readonly tools: HTMLElement;
  private readonly figures: HTMLElement;
  private readonly switcher: HTMLButtonElement;
  private readonly described: HTMLElement;
  private asTable = false;

  constructor(
    title: string,
    kind: string,
    private readonly rows: () => HTMLTableElement,
  ) {
    const id = `card-${++serial}`;
    this.switcher = button(icon("table"), { class: "tool", "aria-pressed": "false", "aria-label": `${title}: show as a table`, title: "Show as a table" }, () => this.flip());
    this.tools = h("div", { class: "tools" }, this.switcher);
    this.body = h("div", { class: "card-body" });
    this.figures = h("div", { class: "card-table", hidden: true, tabindex: "0", role: "region", "aria-label": `${title}, as a table` });
    this.described = h("p", { class: "sr", id: `${id}-text` });
    this.element = h(
      "section",
      { class: `card ${kind}`, "aria-labelledby": id, "aria-describedby": `${id}-text` },
      h("header", { class: "card-head" }, h("h2", { id }, title), this.tools),
      this.described,
      this.body,
      this.figures,
    );
  }

  describe(text: string): void {
    setText(this.described, text);
  }

  /** Brings the table up to date, if it is what the reader looks at. */
  refresh(): void {
    if (this.asTable) this.figures.replaceChildren(this.rows());
  }

  private flip(): void {
    this.asTable = !this.asTable;
    set(this.switcher, "aria-pressed", String(this.asTable));
    const words = this.asTable ? "Show as a chart" : "Show as a table";
    this.switcher.title = words;
    this.switcher.replaceChildren(icon(this.asTable ? "chart" : "table"));
    this.figures.style.height = this.asTable ? `${this.body.offsetHeight}px` : "";
    this.body.hidden = this.asTable;
    this.figures.hidden = !this.asTable;
    this.refresh();
  }
}

/** Calls back when the element's width changes: at most once a frame, never for its height. */
export function onWidth(element: HTMLElement, act: (width: number) => void): void {
  let last = 0;
  new ResizeObserver((entries) => {
    const width = Math.floor(entries[0]!.contentRect.width);
    if (width === last || width === 0) return;
    last = width;
    act(width);
  }).observe(element);
}

const canvas = document.createElement("canvas").getContext("2d");
const widths = new Map<string, number>();

/** A text's width in pixels in the page's font. */
export function textWidth(text: string, size = 12, weight = 400): number {
  const id = `${size} ${weight} ${text}`;
  let width = widths.get(id);
  if (width === undefined) {
    if (canvas === null) return text.length * size * 0.6;
    canvas.font = `${weight} ${size}px ${getComputedStyle(document.body).fontFamily}`;
    width = canvas.measureText(text).width;
    if (widths.size > 20_000) widths.clear();
    widths.set(id, width);
  }
  return width;
}

export function ellipsis(text: string, room: number, size = 12, weight = 400): string {
  if (textWidth(text, size, weight) <= room) return text;
  let keep = text.length - 1;
  while (keep > 1 && textWidth(`${text.slice(0, keep)}…`, size, weight) > room) keep--;
  return `${text.slice(0, keep).trimEnd()}…`;
}
