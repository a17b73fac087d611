/** The page of dashboards: tabs when there are several, the board, and news of a newer release. */

import { CubeAnswers, ServerAnswers, type Answers } from "../answers.js";
import { api, embedded, unpack } from "../api.js";
import { decode } from "../cube.js";
import { button, h } from "../dom.js";
import { formatState, parseState } from "../state.js";
import type { DashboardDoc, DashboardEntry } from "../types.js";
import type { Page } from "./page.js";
import { Board } from "./board.js";
import { loading, panel } from "./panel.js";
import { heading } from "./proof.js";

const pathOf = (name: string): string => `/d/${encodeURIComponent(name)}`;

function tabs(list: readonly DashboardEntry[], name: string): HTMLElement | null {
  if (list.length < 2) return null;
  const links = list.map((each) => h("a", { href: pathOf(each.name), class: "tab", "aria-current": each.name === name ? "page" : null }, each.title || each.name));
  return h("nav", { class: "tabs", "aria-label": "Dashboards" }, ...links);
}

async function answersFor(doc: DashboardDoc, signal: AbortSignal): Promise<Answers> {
  return doc.cube.where === "server" ? new ServerAnswers(doc, signal) : new CubeAnswers(decode(await api.cube(doc.name)));
}

function watch(doc: DashboardDoc, place: HTMLElement, page: Page): void {
  let asked = Date.now();
  const look = async (): Promise<void> => {
    if (document.visibilityState !== "visible" || Date.now() - asked < 15_000) return;
    asked = Date.now();
    const current = await api.current().catch(() => null);
    const release = current?.["release"];
    const id = typeof release === "object" && release !== null ? (release as { id?: unknown }).id : (release ?? current?.["id"]);
    if (typeof id !== "string" || id === doc.release?.id || page.signal.aborted) return;
    const show = button(`Show release ${id}`, { class: "button" }, () => page.reload());
    place.replaceChildren(h("div", { class: "news", role: "status" }, "A newer release has been published.", show));
  };
  document.addEventListener("visibilitychange", () => void look(), { signal: page.signal });
  window.addEventListener("focus", () => void look(), { signal: page.signal });
}

export async function dashboardPage(page: Page, name: string | null): Promise<void> {
  page.main.replaceChildren(loading());
  const [list, early] = await Promise.all([api.dashboards(), name === null ? null : api.dashboard(name)]);
  const first = name ?? list[0]?.name;
  if (first === undefined) {
    page.main.replaceChildren(panel("No dashboard yet", "Add a file to dashboards/ and run “mainstem run”."));
    return;
  }
  const doc = early ?? (await api.dashboard(first));
  if (page.signal.aborted) return;
  page.title(doc.title || doc.name);
  const news = h("div", {});
  const place = h("div", {}, loading(doc.cube.where === "server" ? "Computing" : "Loading the figures"));
  page.main.replaceChildren(...[tabs(list, doc.name), news, heading(doc, true), place].filter((each) => each !== null));
  const answers = await answersFor(doc, page.signal);
  const board = new Board(doc, answers, parseState(location.search, doc), (state, step) => {
    const query = formatState(state, doc);
    page.address(location.pathname + (query === "" ? "" : `?${query}`), step);
  });
  place.replaceChildren(board.element);
  await board.start();
  page.moved(() => board.apply(parseState(location.search, doc), null));
  watch(doc, news, page);
}

/** The file that carries its own figures: no server, so the state lives in the fragment. */
export async function exportedPage(page: Page): Promise<void> {
  const data = embedded()!;
  const doc = data.dashboard;
  page.title(doc.title || doc.name);
  const place = h("div", {}, loading("Unpacking the figures"));
  page.main.replaceChildren(heading(doc, false), place);
  const answers = new CubeAnswers(decode(await unpack(data.cube)));
  const board = new Board(doc, answers, parseState(location.hash, doc), (state, step) => page.address(`#${formatState(state, doc)}`, step));
  place.replaceChildren(board.element);
  await board.start();
  page.moved(() => board.apply(parseState(location.hash, doc), null));
}
