/** Elements without a framework. Text is set as text: nothing that comes from data is parsed as HTML. */

type Attrs = Readonly<Record<string, string | number | boolean | null | undefined>>;
type Child = Node | string | null | undefined | false;

function fill<E extends Element>(element: E, attrs: Attrs, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attrs)) set(element, name, value);
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/** Sets an attribute only when it differs, so that what does not change is not touched. */
export function set(element: Element, name: string, value: string | number | boolean | null | undefined): void {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attrs: Attrs = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attrs, children);
}

export function s<K extends keyof SVGElementTagNameMap>(tag: K, attrs: Attrs = {}, ...children: Child[]): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs, children);
}

export function button(label: Child, attrs: Attrs, click: (event: MouseEvent) => void): HTMLButtonElement {
  const made = h("button", { type: "button", ...attrs }, label);
  made.addEventListener("click", click);
  return made;
}

const ICONS = {
  check: "M4 10.5l4 4 8-9",
  cross: "M5 5l10 10M15 5L5 15",
  dash: "M4 10h12",
  chevron: "M5 8l5 5 5-5",
  table: "M3 4.5h14v11H3zM3 8.5h14M8.5 8.5v7",
  chart: "M4 16V9M10 16V4M16 16v-5",
  lock: "M5 9h10v7H5zM7 9V7a3 3 0 0 1 6 0v2",
  sun: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM10 1.8v2M10 16.2v2M1.8 10h2M16.2 10h2M4.2 4.2l1.4 1.4M14.4 14.4l1.4 1.4M4.2 15.8l1.4-1.4M14.4 5.6l1.4-1.4",
  moon: "M16 11.8A6.5 6.5 0 1 1 8.2 4a5.2 5.2 0 0 0 7.8 7.8z",
  auto: "M10 3a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM10 3v14M10 6h4.5M10 10h6.5M10 14h4.5",
  calendar: "M3.5 5h13v11.5h-13zM3.5 8.5h13M7 3v3M13 3v3",
  play: "M6 4l10 6-10 6z",
  save: "M10 3v9M6 8.5l4 4 4-4M3.5 16.5h13",
} as const;

export type IconName = keyof typeof ICONS;

export function icon(name: IconName): SVGSVGElement {
  return s("svg", { viewBox: "0 0 20 20", class: `icon icon-${name}`, "aria-hidden": "true" }, s("path", { d: ICONS[name] }));
}

/** Says something to screen readers without moving the focus. */
export function announce(text: string): void {
  const place = document.getElementById("live");
  if (place) setText(place, text);
}

/** A table from text cells; columns of `numeric` are set right. */
export function table(head: readonly string[], rows: readonly (readonly Child[])[], numeric: readonly boolean[] = [], caption = ""): HTMLTableElement {
  const cls = (i: number): string | null => (numeric[i] === true ? "num" : null);
  return h(
    "table",
    { class: "table" },
    caption !== "" && h("caption", { class: "sr" }, caption),
    h("thead", {}, h("tr", {}, ...head.map((text, i) => h("th", { scope: "col", class: cls(i) }, text)))),
    h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell, i) => h("td", { class: cls(i) }, cell))))),
  );
}
