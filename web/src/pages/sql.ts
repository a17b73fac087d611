/** The SQL console: one SELECT on the current release, its rows as they are, nothing rounded. */

import { api, type SqlAnswer } from "../api.js";
import { button, h, icon, set, table } from "../dom.js";
import { integer } from "../format.js";
import type { Page } from "./page.js";
import { failure, loading } from "./panel.js";

const KEY = "mainstem-sql";
const NUMBER = /^(u?(tiny|small|big|huge)?int|integer|decimal|double|float|real|numeric)/i;
const SHOWN = 1000;

const text = (value: unknown): string =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

/** A cell for a spreadsheet: quoted where needed, and never a formula. */
export function csvCell(value: unknown): string {
  const raw = text(value);
  const safe = /^[=+@\t\r]|^-(?!\d+(\.\d+)?$)/.test(raw) ? `'${raw}` : raw;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csv = (answer: SqlAnswer): string =>
  [answer.columns.map((column) => column.name), ...answer.rows].map((row) => row.map(csvCell).join(",")).join("\r\n");

function save(answer: SqlAnswer): void {
  const link = h("a", { href: URL.createObjectURL(new Blob([csv(answer)], { type: "text/csv" })), download: "result.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function result(answer: SqlAnswer): HTMLElement {
  const numeric = answer.columns.map((column) => NUMBER.test(column.type));
  const rows = answer.rows.slice(0, SHOWN).map((row) => row.map((value) => (value === null ? h("span", { class: "null" }, "NULL") : text(value))));
  const count = `${integer(answer.rows.length)} ${answer.rows.length === 1 ? "row" : "rows"} · ${answer.seconds.toFixed(3)} s`;
  const cut = answer.truncated ? h("span", { class: "warn" }, "There are more rows: the answer was cut at its limit.") : null;
  const made = table(answer.columns.map((column) => column.name), rows, numeric);
  answer.columns.forEach((column, i) => set(made.tHead!.rows[0]!.cells[i]!, "title", column.type));
  return h(
    "section",
    { class: "card flush" },
    h("header", { class: "result-head" }, h("span", { class: "note", "data-result": true }, count), cut, button(icon("save"), { class: "tool", title: "Save as CSV", "aria-label": "Save as CSV" }, () => save(answer))),
    h("div", { class: "scroll rows", tabindex: "0", role: "region", "aria-label": "Result" }, made),
  );
}

export async function sqlPage(page: Page): Promise<void> {
  page.title("SQL");
  const given = new URLSearchParams(location.search).get("q");
  const input = h("textarea", { class: "editor", spellcheck: "false", rows: "7", "aria-label": "SQL", autocapitalize: "off", autocomplete: "off", placeholder: "select …" });
  input.value = given ?? sessionStorage.getItem(KEY) ?? "";
  const out = h("div", { "aria-live": "polite" });
  let running: AbortController | null = null;
  const run = async (): Promise<void> => {
    if (input.value.trim() === "") return;
    sessionStorage.setItem(KEY, input.value);
    running?.abort();
    const mine = (running = new AbortController());
    out.replaceChildren(loading("Running"));
    stop.hidden = false;
    try {
      out.replaceChildren(result(await api.sql(input.value, SHOWN, mine.signal)));
    } catch (error) {
      if (mine.signal.aborted && running !== mine) return;
      out.replaceChildren(mine.signal.aborted ? h("p", { class: "note" }, "Stopped.") : failure(error));
    }
    if (running === mine) stop.hidden = true;
  };
  const stop = button("Stop", { class: "button", hidden: true }, () => running?.abort());
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void run();
  });
  page.signal.addEventListener("abort", () => running?.abort());
  const go = button(icon("play"), { class: "button primary" }, () => void run());
  go.append("Run");
  const tables = h("aside", { class: "side", "aria-label": "Tables" });
  page.main.replaceChildren(
    h("div", { class: "heading" }, h("h1", {}, "SQL"), h("p", { class: "facts" }, "One SELECT on the current release. Nothing here can write.")),
    h("div", { class: "split" }, tables, h("div", { class: "wide" }, h("div", { class: "card console" }, input, h("div", { class: "console-foot" }, go, stop, h("span", { class: "note" }, "Ctrl + Enter"))), out)),
  );
  input.focus();
  await side(tables, input);
}

async function side(place: HTMLElement, input: HTMLTextAreaElement): Promise<void> {
  const catalog = await api.catalog().catch(() => []);
  const insert = (name: string): void => {
    if (input.value.trim() === "") input.value = `select *\nfrom ${name}\nlimit 100`;
    else input.setRangeText(name, input.selectionStart, input.selectionEnd, "end");
    input.focus();
  };
  const entries = catalog.map((entry) =>
    h(
      "details",
      { class: "tree" },
      h("summary", {}, entry.table),
      button("Use the table", { class: "link tree-use" }, () => insert(entry.table)),
      ...entry.columns.map((column) => {
        const made = button(h("span", {}, column.name), { class: "tree-column" }, () => insert(column.name));
        made.append(h("span", { class: "type" }, column.type));
        return made;
      }),
    ),
  );
  place.replaceChildren(h("h2", {}, "Tables"), ...(entries.length > 0 ? entries : [h("p", { class: "note" }, "No table yet.")]));
}
