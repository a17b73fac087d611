/** The line under a title: what the figures are, as of when, and what they were proven against. */

import { utcFormat } from "d3-time-format";
import { h, icon } from "../dom.js";
import { integer } from "../format.js";
import type { DashboardDoc, Proof } from "../types.js";

export const receiptPath = (run: string): string => `/receipt/${encodeURIComponent(run)}`;

/** A moment in the reader's own time zone: the time alone when it is today. */
export function moment(text: string | undefined, full = false): string {
  const at = new Date(text ?? "");
  if (text === undefined || Number.isNaN(at.getTime())) return "";
  const pad = (value: number): string => String(value).padStart(2, "0");
  const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  const local = new Date(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()));
  const today = at.toDateString() === new Date().toDateString();
  return today && !full ? time : `${utcFormat("%-d %b %Y")(local)}, ${time}`;
}

export type Verdict = "holds" | "fails" | "none";

const UNPROVEN = new Set(["", "not proven"]);

/** A difference is said even where the loads were not proven; equality only where they were. */
export function verdict(proof: Proof | null | undefined): Verdict {
  if (!proof || proof.holds === undefined) return "none";
  const off = proof.level === "off" || proof.level === "none";
  if (proof.holds) return off ? "none" : "holds";
  return off && UNPROVEN.has(proof.text ?? "") ? "none" : "fails";
}

const MARKS = { holds: "check", fails: "cross", none: "dash" } as const;

function words(proof: Proof | null | undefined, kind: Verdict): string {
  if (kind === "none") return "Not proven against the source";
  const text = proof?.text ?? "";
  if (kind === "fails") return `Proof failed: ${text || "the figures differ from the source"}`;
  return `${text || "Equal to the source"}${proof?.level === "count" ? " (loads proven by their row counts alone)" : ""}`;
}

export function proofLine(doc: DashboardDoc, links: boolean): HTMLElement {
  const { proof } = doc;
  const kind = verdict(proof);
  const run = proof?.run ?? doc.release?.run;
  const time = moment(proof?.checked);
  const said = [words(proof, kind), time].filter((part) => part !== "").join(" · ");
  const content = [icon(MARKS[kind]), h("span", {}, said)];
  const title = [proof?.source, moment(proof?.checked, true)].filter(Boolean).join(" · ");
  const line =
    links && run
      ? h("a", { class: `proof ${kind}`, href: receiptPath(run), title: `${title ? `${title} · ` : ""}the receipt` }, ...content)
      : h("span", { class: `proof ${kind}`, title }, ...content);
  return h("div", { class: "proofs" }, line, ...unmatched(proof));
}

function unmatched(proof: Proof | null | undefined): HTMLElement[] {
  return (proof?.unmatched ?? [])
    .filter((each) => each.rows > 0)
    .map((each) => h("span", { class: "note" }, `${integer(each.rows)} ${each.rows === 1 ? "row has" : "rows have"} no match in ${each.dimension}`));
}

export function heading(doc: DashboardDoc, links: boolean): HTMLElement {
  const published = moment(doc.release?.published);
  const facts = [
    (doc.grain ?? "").replace(/^./, (first) => first.toUpperCase()),
    doc.release ? `release ${doc.release.id}` : "no release yet",
    published === "" ? "" : `published ${published}`,
  ].filter((part) => part !== "");
  return h("div", { class: "heading" }, h("h1", {}, doc.title || doc.name), h("p", { class: "facts", title: doc.model }, facts.join(" · ")), proofLine(doc, links));
}
