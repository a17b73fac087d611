/** A run's receipt as a page: what was read, what was proven against what, what did not match. */

import { api } from "../api.js";
import { h, icon, table } from "../dom.js";
import { bytes, integer } from "../format.js";
import type { Page } from "./page.js";
import { loading } from "./panel.js";
import { moment } from "./proof.js";

type Doc = Readonly<Record<string, unknown>>;

const isDoc = (value: unknown): value is Doc => typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: unknown): Doc[] => (Array.isArray(value) ? value.filter(isDoc) : []);
const text = (value: unknown): string => (typeof value === "string" || typeof value === "number" ? String(value) : "");
const count = (value: unknown): string => (typeof value === "number" && value >= 0 ? integer(value) : "");
const size = (value: unknown): string => (typeof value === "number" && value >= 0 ? bytes(value) : "");
const seconds = (value: unknown): string => (typeof value === "number" ? `${value.toFixed(value < 10 ? 2 : 0)} s` : "");

/** In words and with a mark: proven, not proven, or different. */
function mark(holds: unknown, said: string): HTMLElement {
  const kind = holds === true ? "holds" : holds === false ? "fails" : "none";
  const name = { holds: "check", fails: "cross", none: "dash" } as const;
  const words = said || { holds: "equal", fails: "different", none: "not proven" }[kind];
  return h("span", { class: `proof ${kind}` }, icon(name[kind]), h("span", {}, kind === "fails" && said !== "" ? `Differs: ${words}` : words));
}

function section(title: string, body: HTMLElement | null): HTMLElement | null {
  return body === null ? null : h("section", { class: "card flush" }, h("h2", { class: "flush-title" }, title), h("div", { class: "scroll" }, body));
}

function tables(doc: Doc): HTMLElement | null {
  const rows = list(doc["tables"]).map((each) => [
    h("span", { class: "mono" }, text(each["table"])),
    count(each["rows"]),
    mark(each["proof"] === "off" ? undefined : each["holds"], text(each["text"])),
    text(each["proof"]),
    size(each["bytes"]),
    seconds(each["seconds"]),
  ]);
  return rows.length === 0 ? null : table(["Table", "Rows", "Against the source", "Proof", "Bytes", "Time"], rows, [false, true, false, false, true, true]);
}

function model(each: Doc): HTMLElement {
  const proofs = list(each["proofs"]).map((proof) => h("li", {}, h("span", { class: "proof-name" }, text(proof["name"])), mark(proof["holds"], text(proof["text"]))));
  const lost = list(each["unmatched"]).filter((entry) => entry["rows"] !== 0).map((entry) =>
    h("li", { class: "note" }, `${count(entry["rows"])} rows have no match in ${text(entry["dimension"])}${text(entry["column"]) === "" ? "" : ` (${text(entry["column"])})`}; they go to its unknown member`),
  );
  const headline = text(each["headline"]) || (count(each["rows"]) === "" ? "" : `${count(each["rows"])} rows`);
  return h("div", { class: "model" }, h("h3", { class: "mono" }, text(each["table"])), headline === "" ? null : h("p", { class: "soft" }, headline), h("ul", { class: "proof-list" }, ...proofs, ...lost));
}

function duration(doc: Doc): string {
  const span = Date.parse(text(doc["finished"])) - Date.parse(text(doc["started"]));
  return Number.isFinite(span) && span >= 0 ? `${(span / 1000).toFixed(span < 10_000 ? 1 : 0)} s` : "";
}

export async function receiptPage(page: Page, run: string): Promise<void> {
  page.title(`Receipt ${run}`);
  page.main.replaceChildren(loading());
  const doc = await api.run(run);
  if (page.signal.aborted) return;
  const all = [...list(doc["tables"]).filter((each) => each["proof"] !== "off"), ...list(doc["models"]).flatMap((each) => list(each["proofs"]))];
  const failed = all.filter((each) => each["holds"] === false).length;
  const held = all.filter((each) => each["holds"] === true).length;
  const verdict = failed > 0 ? mark(false, `${failed} of ${all.length} proofs`) : mark(held > 0 ? true : undefined, held > 0 ? `all ${held} proofs hold` : "nothing was proven");
  const facts = [text(doc["release"]) === "" ? "" : `release ${text(doc["release"])}`, moment(text(doc["started"]), true), duration(doc)].filter((part) => part !== "");
  const models = list(doc["models"]);
  const parts = [
    h("div", { class: "heading" }, h("h1", {}, "Receipt ", h("span", { class: "mono soft" }, run)), h("p", { class: "facts" }, facts.join(" · ")), h("div", { class: "proofs" }, verdict)),
    section("Read from the source", tables(doc)),
    models.length === 0 ? null : h("section", { class: "card" }, h("h2", { class: "models-title" }, "Proven of the models"), ...models.map(model)),
    h("details", { class: "card raw" }, h("summary", {}, "The whole document"), h("pre", { class: "code", tabindex: "0" }, JSON.stringify(doc, null, 2))),
  ];
  page.main.replaceChildren(h("div", { class: "receipt" }, ...parts));
}
