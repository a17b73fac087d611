/** The catalog: every table of the release, what a row of it is, its columns, and the SQL that makes it. */

import { api, type TableEntry } from "../api.js";
import { h, set, table } from "../dom.js";
import { bytes, integer } from "../format.js";
import type { Page } from "./page.js";
import { loading, panel } from "./panel.js";

export const pathOf = (name: string): string => `/catalog?table=${encodeURIComponent(name)}`;
const known = (value: number | null | undefined): value is number => typeof value === "number" && value >= 0;

export const badge = (kind: string | undefined): HTMLElement | null => (kind ? h("span", { class: `badge kind-${kind}` }, kind) : null);

/** The table that a reference names: `mart.dim_customers`, `dim_customers` or `dim_customers.customer_key`. */
export function referred(reference: string, names: readonly string[]): string | null {
  const table = reference.includes(".") ? reference.slice(0, reference.lastIndexOf(".")) : reference;
  const fits = (name: string): boolean => name === reference || name === table || name.endsWith(`.${table}`);
  return names.find((name) => name === reference) ?? names.find(fits) ?? null;
}

function reference(text: string | null | undefined, names: readonly string[]): Node | string {
  const table = text ? referred(text, names) : null;
  return table === null ? (text ?? "") : h("a", { href: pathOf(table), class: "mono" }, text!);
}

function columns(entry: TableEntry, names: readonly string[]): HTMLElement {
  const rows = entry.columns.map((column) => [
    h("span", { class: "mono" }, column.name),
    h("span", { class: "mono soft" }, column.type),
    column.nullable === true ? h("span", { class: "nowrap" }, "may be NULL") : "",
    reference(column.references, names),
    column.description ?? "",
  ]);
  return h("div", { class: "scroll" }, table(["Column", "Type", "", "Refers to", "What it is"], rows, [], `Columns of ${entry.table}`));
}

function details(entry: TableEntry, names: readonly string[]): HTMLElement {
  const facts: [string, string][] = [
    ["Grain", entry.grain ?? ""],
    ["Rows", known(entry.rows) ? integer(entry.rows) : "unknown"],
    ["Size", known(entry.bytes) ? bytes(entry.bytes) : "unknown"],
    ["Snapshot", entry.snapshot === null || entry.snapshot === undefined ? "" : String(entry.snapshot)],
  ];
  const list = facts.filter(([, value]) => value !== "").map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  const query = `/sql?q=${encodeURIComponent(`select *\nfrom ${entry.table}\nlimit 100`)}`;
  return h(
    "article",
    { class: "wide" },
    h(
      "section",
      { class: "card flush" },
      h("div", { class: "entry-head" }, h("h2", { class: "mono" }, entry.table), badge(entry.kind), h("a", { href: query, class: "entry-link" }, "Open in SQL")),
      entry.description ? h("p", { class: "entry-text" }, entry.description) : null,
      h("dl", { class: "figures-list" }, ...list),
      columns(entry, names),
    ),
    (entry.why?.length ?? 0) > 0 ? h("section", { class: "card" }, h("h2", {}, "Why it is so"), h("ul", { class: "why" }, ...entry.why!.map((text) => h("li", {}, text)))) : null,
    entry.sql ? h("section", { class: "card code-card" }, h("h2", {}, "How it is made"), h("pre", { class: "code", tabindex: "0" }, entry.sql.trim())) : null,
  );
}

function entries(list: readonly TableEntry[]): { links: HTMLElement[]; search: HTMLInputElement } {
  const links = list.map((entry) =>
    h("a", { href: pathOf(entry.table), class: "side-link" }, h("span", { class: "mono" }, entry.table), h("span", { class: "count" }, known(entry.rows) ? integer(entry.rows) : "")),
  );
  const search = h("input", { type: "search", class: "search", placeholder: "Find a table or column", "aria-label": "Find a table or column" });
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    list.forEach((entry, i) => {
      const words = [entry.table, entry.description ?? "", ...entry.columns.map((column) => column.name)].join(" ").toLowerCase();
      set(links[i]!, "hidden", !words.includes(wanted));
    });
  });
  return { links, search };
}

export async function catalogPage(page: Page): Promise<void> {
  page.title("Catalog");
  page.main.replaceChildren(loading());
  const list = await api.catalog();
  if (page.signal.aborted) return;
  const heading = h("div", { class: "heading" }, h("h1", {}, "Catalog"), h("p", { class: "facts" }, `${integer(list.length)} tables in the current release`));
  const first = list[0];
  if (first === undefined) return page.main.replaceChildren(heading, panel("No table yet", "Run “mainstem run” to load the first ones."));
  const { links, search } = entries(list);
  const side = h("nav", { class: "side", "aria-label": "Tables" }, search, ...links);
  const split = h("div", { class: "split" }, side);
  const show = (): void => {
    const name = new URLSearchParams(location.search).get("table") ?? first.table;
    const entry = list.find((each) => each.table === name);
    page.title(entry === undefined ? "Catalog" : entry.table);
    list.forEach((each, i) => set(links[i]!, "aria-current", each === entry ? "page" : null));
    split.replaceChildren(side, entry === undefined ? panel(`There is no table ${name}`, "It may have been in another release.", "error") : details(entry, list.map((each) => each.table)));
  };
  show();
  page.moved(show);
  page.main.replaceChildren(heading, split);
}
