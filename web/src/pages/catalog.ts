/** The catalog: every table of the release, what a row of it is, its columns, and the SQL that makes it. */

import { api, type TableEntry } from "../api.js";
import { h, set, table } from "../dom.js";
import { bytes, integer } from "../format.js";
import type { Page } from "./page.js";
import { loading, panel } from "./panel.js";

const pathOf = (name: string): string => `/catalog/${encodeURIComponent(name)}`;
const known = (value: number | null | undefined): value is number => typeof value === "number" && value >= 0;

export const badge = (kind: string | undefined): HTMLElement | null => (kind ? h("span", { class: `badge kind-${kind}` }, kind) : null);

function columns(entry: TableEntry): HTMLElement {
  const rows = entry.columns.map((column) => [
    h("span", { class: "mono" }, column.name),
    h("span", { class: "mono soft" }, column.type),
    column.nullable === true ? "may be NULL" : "",
    column.references ? h("a", { href: pathOf(column.references), class: "mono" }, column.references) : "",
    column.description ?? "",
  ]);
  return h("div", { class: "scroll" }, table(["Column", "Type", "", "Refers to", "What it is"], rows, [], `Columns of ${entry.table}`));
}

function details(entry: TableEntry): HTMLElement {
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
      columns(entry),
    ),
    entry.sql ? h("section", { class: "card code-card" }, h("h2", {}, "How it is made"), h("pre", { class: "code", tabindex: "0" }, entry.sql.trim())) : null,
  );
}

function entries(list: readonly TableEntry[], name: string): { links: HTMLElement[]; search: HTMLInputElement } {
  const links = list.map((entry) =>
    h("a", { href: pathOf(entry.table), class: "side-link", "aria-current": entry.table === name ? "page" : null }, h("span", { class: "mono" }, entry.table), h("span", { class: "count" }, known(entry.rows) ? integer(entry.rows) : "")),
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

export async function catalogPage(page: Page, name: string): Promise<void> {
  page.title("Catalog");
  if (page.main.querySelector(".catalog") === null) page.main.replaceChildren(loading());
  const list = await api.catalog();
  if (page.signal.aborted) return;
  const heading = h("div", { class: "heading" }, h("h1", {}, "Catalog"), h("p", { class: "facts" }, `${integer(list.length)} tables in the current release`));
  const first = list[0];
  if (first === undefined) return page.main.replaceChildren(heading, panel("No table yet", "Run “mainstem run” to load the first ones."));
  const entry = name === "" ? first : list.find((each) => each.table === name);
  const shown = entry === undefined ? panel(`There is no table ${name}`, "It may have been in another release.", "error") : details(entry);
  if (entry !== undefined) page.title(entry.table);
  const { links, search } = entries(list, entry?.table ?? "");
  page.main.replaceChildren(heading, h("div", { class: "split catalog" }, h("nav", { class: "side", "aria-label": "Tables" }, search, ...links), shown));
}
