/** The lineage as a picture: tables from left to right; a click shows what feeds a table and its columns. */

import { api, type LineageDoc } from "../api.js";
import { ellipsis } from "../charts/card.js";
import { h, s, set } from "../dom.js";
import { columnsOf, laneId, layout, related, type Spot } from "../lineage.js";
import { badge, pathOf } from "./catalog.js";
import type { Page } from "./page.js";
import { loading, panel } from "./panel.js";

const WIDTH = 214;
const HEIGHT = 44;
const GAP_X = 76;
const GAP_Y = 14;

interface Picture {
  readonly svg: SVGSVGElement;
  readonly nodes: ReadonlyMap<string, SVGGElement>;
  readonly edges: readonly { readonly path: SVGPathElement; readonly from: string; readonly to: string }[];
}

const LANE = 18;

interface Point {
  readonly x: number;
  readonly y: number;
}

const tall = (spot: Spot): number => (spot.lane ? LANE : HEIGHT) + GAP_Y;

/** The top left corner of each table; of a lane, the middle of its left side. */
function corners(spots: readonly Spot[]): { place: Map<string, Point>; width: number; height: number } {
  const columns: Spot[][] = [];
  for (const spot of spots) (columns[spot.column] ??= []).push(spot);
  const heights = columns.map((column) => column.reduce((sum, spot) => sum + tall(spot), -GAP_Y));
  const height = Math.max(...heights) + 12;
  const place = new Map<string, Point>();
  columns.forEach((column, i) => {
    let y = (height - heights[i]!) / 2;
    for (const spot of column) {
      place.set(spot.id, { x: 6 + i * (WIDTH + GAP_X), y: spot.lane ? y + LANE / 2 : y });
      y += tall(spot);
    }
  });
  return { place, width: columns.length * (WIDTH + GAP_X) - GAP_X + 12, height };
}

/** From the right side of a table, along the lanes between, to the left side of the next. */
function way(from: string, to: string, place: ReadonlyMap<string, Point>): string {
  const a = place.get(from)!;
  const b = place.get(to)!;
  const lanes: Point[] = [];
  const first = Math.round((a.x - 6) / (WIDTH + GAP_X)) + 1;
  for (let column = first, lane; (lane = place.get(laneId(from, to, column))) !== undefined; column++) lanes.push(lane);
  let x = a.x + WIDTH;
  let y = a.y + HEIGHT / 2;
  let d = `M${x} ${y}`;
  for (const point of [...lanes, { x: b.x, y: b.y + HEIGHT / 2 }]) {
    const bend = (point.x - x) / 2;
    d += `C${x + bend} ${y} ${point.x - bend} ${point.y} ${point.x} ${point.y}`;
    x = point.x + WIDTH;
    y = point.y;
    if (point.x !== b.x) d += `H${x}`;
  }
  return d;
}

function picture(doc: LineageDoc, spots: readonly Spot[], choose: (id: string) => void): Picture {
  const { place, width, height } = corners(spots);
  const edges = doc.edges.map(([from, to]) => ({ path: s("path", { class: "edge", d: way(from, to, place) }), from, to }));
  const tables = spots.filter((spot) => !spot.lane);
  const nodes = new Map(tables.map((spot) => [spot.id, node(spot, place.get(spot.id)!, choose)]));
  const svg = s(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Tables and what they are made from", class: "lineage" },
    ...edges.map((edge) => edge.path),
    ...nodes.values(),
  );
  return { svg, nodes, edges };
}

function node(spot: Spot, at: Point, choose: (id: string) => void): SVGGElement {
  const made = s(
    "g",
    { class: `node kind-${spot.kind}`, role: "button", tabindex: 0, "aria-pressed": "false", "aria-label": `${spot.id}, ${spot.kind}`, transform: `translate(${at.x} ${at.y})`, "data-node": spot.id },
    s("rect", { width: WIDTH, height: HEIGHT, rx: 8 }),
    s("rect", { class: "node-kind", x: 0, y: 10, width: 3, height: HEIGHT - 20, rx: 1.5 }),
    s("text", { class: "node-name", x: 14, y: 18, dy: "0.1em" }, ellipsis(spot.id, WIDTH - 26, 12.5, 600)),
    s("text", { class: "node-note", x: 14, y: 34 }, spot.kind),
    s("title", {}, spot.id),
  );
  made.addEventListener("click", () => choose(spot.id));
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(spot.id);
  });
  return made;
}

function details(doc: LineageDoc, id: string): HTMLElement {
  const kind = doc.nodes.find((each) => each.id === id)?.kind;
  const columns = columnsOf(doc, id).map(([name, sources]) =>
    h("li", {}, h("span", { class: "mono" }, name), h("span", { class: "from" }, sources.length === 0 ? "no column of a source" : `← ${sources.join(", ")}`)),
  );
  const inputs = doc.edges.filter(([, to]) => to === id).map(([from]) => from);
  const outputs = doc.edges.filter(([from]) => from === id).map(([, to]) => to);
  const line = (title: string, ids: readonly string[]): HTMLElement | null => (ids.length === 0 ? null : h("p", { class: "soft" }, `${title} `, h("span", { class: "mono" }, ids.join(", "))));
  const head = [h("h2", { class: "mono" }, id), badge(kind)];
  if (kind !== "dashboard") head.push(h("a", { href: pathOf(id), class: "entry-link" }, "In the catalog"));
  return h(
    "section",
    { class: "card lineage-details", "aria-live": "polite" },
    h("div", { class: "entry-head bare" }, ...head),
    line("Made from", inputs),
    line("Feeds", outputs),
    columns.length > 0 ? h("ul", { class: "column-list" }, ...columns) : null,
  );
}

export async function lineagePage(page: Page): Promise<void> {
  page.title("Lineage");
  page.main.replaceChildren(loading());
  const doc = await api.lineage();
  if (page.signal.aborted) return;
  const heading = h("div", { class: "heading" }, h("h1", {}, "Lineage"), h("p", { class: "facts" }, "From the source's tables to the dashboards, as the models' SQL says. Click a table for its columns."));
  const spots = layout(doc);
  if (spots.length === 0) return page.main.replaceChildren(heading, panel("Nothing to show yet", "Run “mainstem run” first."));
  const below = h("div", {});
  let chosen: string | null = null;
  const drawn = picture(doc, spots, (id) => show(chosen === id ? null : id));
  const show = (id: string | null): void => {
    chosen = id;
    const near = id === null ? null : related(doc, id);
    for (const [name, group] of drawn.nodes) {
      set(group, "aria-pressed", String(name === id));
      group.classList.toggle("faint", near !== null && !near.has(name));
    }
    for (const { path, from, to } of drawn.edges) {
      const lit = near !== null && near.has(from) && near.has(to);
      path.classList.toggle("lit", lit);
      path.classList.toggle("faint", near !== null && !lit);
    }
    below.replaceChildren(...(id === null ? [] : [details(doc, id)]));
    page.address(id === null ? "/lineage" : `/lineage?table=${encodeURIComponent(id)}`, "replace");
  };
  page.main.replaceChildren(heading, h("div", { class: "card lineage-box" }, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Lineage" }, drawn.svg)), below);
  const wanted = new URLSearchParams(location.search).get("table");
  if (wanted !== null && drawn.nodes.has(wanted)) show(wanted);
}
