/** The row under a title: one menu a dimension, then what is chosen as chips. */

import { buckets, floor, isoDay, next, parseDay, rangeText } from "../dates.js";
import { button, h, icon, set } from "../dom.js";
import { label } from "../format.js";
import type { State } from "../state.js";
import type { DashboardDoc, DimensionSpec, Filter, Grid, Key } from "../types.js";

export interface FilterHost {
  readonly doc: DashboardDoc;
  locked(dimension: string): boolean;
  multi(dimension: string): boolean;
  choose(dimension: string, filter: Filter | undefined): void;
  clear(): void;
  /** The answer for one dimension alone, without filters. */
  values(dimension: DimensionSpec): Grid | Promise<Grid>;
}

/** More chosen values than this are one chip; more values than this are found by typing. */
const MANY = 6;
const SHOWN = 200;

export class FilterRow {
  readonly element: HTMLElement;
  private readonly menus: HTMLElement;
  private readonly chips = h("div", { class: "chips", role: "group", "aria-label": "Active filters" });
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private state: State = { filters: new Map(), grains: new Map() };

  constructor(private readonly host: FilterHost) {
    const free = host.doc.dimensions.filter((dimension) => !host.locked(dimension.name));
    this.menus = h("div", { class: "menus", role: "group", "aria-label": "Filters" }, ...free.map((dimension) => this.menu(dimension)));
    this.element = h("div", { class: "filters" }, this.menus, this.chips);
  }

  show(state: State): void {
    this.state = state;
    const made: HTMLElement[] = [];
    for (const dimension of this.host.doc.dimensions) {
      const filter = state.filters.get(dimension.name);
      const menu = this.buttons.get(dimension.name);
      if (menu) set(menu, "class", filter === undefined ? "menu" : "menu on");
      if (filter !== undefined) made.push(...this.chipsOf(dimension, filter));
    }
    const removable = made.some((chip) => chip.tagName === "BUTTON");
    if (removable) made.push(button("Clear all", { class: "clear" }, () => this.host.clear()));
    this.chips.replaceChildren(...made);
    this.chips.hidden = made.length === 0;
  }

  private chipsOf(dimension: DimensionSpec, filter: Filter): HTMLElement[] {
    const { name } = dimension;
    const drop = (): void => this.host.choose(name, undefined);
    if (filter.kind === "range") return [this.chip(dimension, rangeText(filter.from, filter.to), drop)];
    if (filter.values.length > MANY) return [this.chip(dimension, `${filter.values.length} values`, drop)];
    return filter.values.map((value) =>
      this.chip(dimension, label(value), () => this.host.choose(name, { kind: "in", values: filter.values.filter((each) => each !== value) })),
    );
  }

  private chip(dimension: DimensionSpec, text: string, drop: () => void): HTMLElement {
    const words = [h("span", { class: "chip-of" }, `${dimension.label}: `), h("span", { class: "chip-text" }, text)];
    if (this.host.locked(dimension.name)) return h("span", { class: "chip locked", title: "Set by the dashboard" }, ...words, icon("lock"));
    const made = button(null, { class: "chip", "data-filter": dimension.name, "aria-label": `Remove the filter ${dimension.label}: ${text}` }, drop);
    made.append(...words, icon("cross"));
    return made;
  }

  private menu(dimension: DimensionSpec): HTMLElement {
    const id = `menu-${dimension.name.replace(/[^\w-]/g, "_")}`;
    const box = h("div", { class: "menu-box", id, popover: "auto", role: "dialog", "aria-label": dimension.label });
    const opener = h(
      "button",
      { type: "button", class: "menu", popovertarget: id, "aria-haspopup": "dialog", "data-menu": dimension.name },
      dimension.kind === "date" && icon("calendar"),
      dimension.label,
      icon("chevron"),
    );
    this.buttons.set(dimension.name, opener);
    box.addEventListener("toggle", (event) => {
      if ((event as ToggleEvent).newState !== "open") return box.replaceChildren();
      const at = opener.getBoundingClientRect();
      box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - 308))}px`;
      box.style.top = `${at.bottom + 6}px`;
      void this.open(dimension, box);
    });
    return h("span", { class: "menu-place" }, opener, box);
  }

  private async open(dimension: DimensionSpec, box: HTMLElement): Promise<void> {
    box.replaceChildren(h("p", { class: "note" }, "computing"));
    const grid = await this.host.values(dimension);
    box.replaceChildren(...(dimension.kind === "date" ? this.dates(dimension, grid, box) : this.list(dimension, grid)));
    box.querySelector<HTMLElement>("input")?.focus();
  }

  private list(dimension: DimensionSpec, grid: Grid): HTMLElement[] {
    const multi = this.host.multi(dimension.name);
    const keys = [...(grid.axes[0]?.keys ?? [])].sort((a, b) => (a === null ? 1 : b === null ? -1 : a.localeCompare(b)));
    const filter = this.state.filters.get(dimension.name);
    const chosen = new Set<Key>(filter?.kind === "in" ? filter.values : []);
    const option = (key: Key): HTMLElement => {
      const input = h("input", { type: multi ? "checkbox" : "radio", name: `pick-${dimension.name}` });
      input.checked = chosen.has(key);
      input.addEventListener("change", () => {
        if (!multi) chosen.clear();
        if (input.checked) chosen.add(key);
        else chosen.delete(key);
        this.host.choose(dimension.name, chosen.size === 0 ? undefined : { kind: "in", values: [...chosen] });
      });
      return h("label", { class: "option" }, input, h("span", {}, label(key)));
    };
    const list = h("div", { class: "options" });
    const find = (text: string): void => {
      const wanted = text.trim().toLowerCase();
      const found = keys.filter((key) => label(key).toLowerCase().includes(wanted));
      const more = found.length > SHOWN ? [h("p", { class: "note option" }, `and ${found.length - SHOWN} more`)] : [];
      list.replaceChildren(...found.slice(0, SHOWN).map(option), ...more);
    };
    find("");
    const parts: HTMLElement[] = [];
    if (keys.length > 8) {
      const search = h("input", { type: "search", class: "search", placeholder: `Find among ${keys.length}`, "aria-label": `Find in ${dimension.label}` });
      search.addEventListener("input", () => find(search.value));
      parts.push(search);
    }
    const all = button("All", { class: "link" }, () => {
      chosen.clear();
      for (const input of list.querySelectorAll("input")) input.checked = false;
      this.host.choose(dimension.name, undefined);
    });
    return [...parts, list, h("div", { class: "menu-foot" }, all)];
  }

  private dates(dimension: DimensionSpec, grid: Grid, box: HTMLElement): HTMLElement[] {
    const days = grid.axes[0]?.days ?? [];
    const first = days[0];
    const last = days.length === 0 ? undefined : next(days[days.length - 1]!, "month") - 1;
    const filter = this.state.filters.get(dimension.name);
    const input = (name: string, value: number | null): HTMLInputElement =>
      h("input", { type: "date", "aria-label": `${dimension.label}, ${name}`, min: first === undefined ? null : isoDay(first), max: last === undefined ? null : isoDay(last), value: value === null ? "" : isoDay(value) });
    const from = input("from", filter?.kind === "range" ? filter.from : null);
    const to = input("to", filter?.kind === "range" ? filter.to : null);
    const put = (a: number | null, b: number | null): void => {
      from.value = a === null ? "" : isoDay(a);
      to.value = b === null ? "" : isoDay(b);
      this.host.choose(dimension.name, a === null && b === null ? undefined : { kind: "range", from: a, to: b });
    };
    const typed = (): void => {
      const a = parseDay(from.value);
      const b = parseDay(to.value);
      put(a, a !== null && b !== null && b < a ? a : b);
    };
    from.addEventListener("change", typed);
    to.addEventListener("change", typed);
    const preset = (text: string, a: number | null, b: number | null): HTMLElement =>
      button(text, { class: "preset" }, () => {
        put(a, b);
        box.hidePopover();
      });
    const presets = [preset("All dates", null, null)];
    if (first !== undefined && last !== undefined) {
      const month = floor(last, "month");
      presets.push(preset("Last 12 months", next(month, "month", -11), last), preset("Last 3 months", next(month, "month", -2), last));
      for (const start of buckets(first, last, "year").slice(-6)) presets.push(preset(String(new Date(start * 86_400_000).getUTCFullYear()), start, next(start, "year") - 1));
    }
    return [h("div", { class: "date-row" }, h("label", {}, "From", from), h("label", {}, "To", to)), h("div", { class: "presets" }, ...presets)];
  }
}
