/** One tooltip for the page, placed beside the pointer and kept inside the window. */

import { h } from "../dom.js";

export interface TipRow {
  readonly color?: number;
  readonly label: string;
  readonly value: string;
}

let box: HTMLElement | null = null;

export function showTip(x: number, y: number, title: string, rows: readonly TipRow[]): void {
  if (box === null) {
    box = h("div", { class: "tip", role: "presentation", hidden: true });
    document.body.append(box);
  }
  box.replaceChildren(
    h("div", { class: "tip-title" }, title),
    ...rows.map((row) =>
      h(
        "div",
        { class: "tip-row" },
        h("span", { class: row.color === undefined ? "swatch none" : `swatch bg-${row.color}` }),
        h("span", { class: "tip-label" }, row.label),
        h("span", { class: "tip-value" }, row.value),
      ),
    ),
  );
  box.hidden = false;
  const { offsetWidth, offsetHeight } = box;
  const left = x + 16 + offsetWidth > innerWidth ? Math.max(4, x - 16 - offsetWidth) : x + 16;
  const top = Math.min(Math.max(4, y - offsetHeight / 2), innerHeight - offsetHeight - 4);
  box.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

export function hideTip(): void {
  if (box !== null) box.hidden = true;
}
