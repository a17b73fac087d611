/** The frame: address → page, links without loading anew, theme, errors in a panel. */

import { embedded, takeToken } from "./api.js";
import { set } from "./dom.js";
import { catalogPage } from "./pages/catalog.js";
import { dashboardPage, exportedPage } from "./pages/dashboard.js";
import { lineagePage } from "./pages/lineage.js";
import type { Page } from "./pages/page.js";
import { failure, panel } from "./pages/panel.js";
import { receiptPage } from "./pages/receipt.js";
import { sqlPage } from "./pages/sql.js";
import { applyTheme, themeButton } from "./theme.js";

let leaving = new AbortController();
let moved: (() => void) | null = null;
let shown = "";

type Open = (page: Page) => Promise<void>;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route(path: string): { open: Open; section: string } | null {
  const [, head = "", ...tail] = path.split("/");
  const rest = decoded(tail.join("/"));
  if (head === "" || head === "index.html") return { open: (page) => dashboardPage(page, null), section: "/" };
  if (head === "d" && rest !== "") return { open: (page) => dashboardPage(page, rest), section: "/" };
  if (head === "receipt" && rest !== "") return { open: (page) => receiptPage(page, rest), section: "" };
  if (head === "sql") return { open: sqlPage, section: "/sql" };
  if (head === "catalog") return { open: catalogPage, section: "/catalog" };
  if (head === "lineage") return { open: lineagePage, section: "/lineage" };
  return null;
}

let waiting: (() => void)[] = [];

/** Writing the address takes the browser as long as the charts do: it waits for the painted frame. */
function later(act: () => void): void {
  waiting.push(act);
  if (waiting.length > 1) return;
  if (document.hidden) settle();
  else requestAnimationFrame(() => setTimeout(settle));
}

function settle(): void {
  const acts = waiting;
  waiting = [];
  for (const act of acts) act();
}

function pageFor(signal: AbortSignal, main: HTMLElement): Page {
  return {
    main,
    signal,
    title: (text) => (document.title = `${text} · mainstem`),
    address: (url, step) =>
      later(() => {
        if (signal.aborted) return;
        if (step === "push") history.pushState(null, "", url);
        else history.replaceState(null, "", url);
      }),
    moved: (act) => (moved = act),
    reload: () => void open(true),
  };
}

async function run(act: Open): Promise<void> {
  leaving.abort();
  leaving = new AbortController();
  moved = null;
  const main = document.getElementById("main")!;
  const page = pageFor(leaving.signal, main);
  try {
    await act(page);
  } catch (error) {
    if (page.signal.aborted) return;
    main.replaceChildren(failure(error, () => page.reload()));
  }
}

/** Opens the address's page; when only the state within the page changed, the page is told so. */
async function open(anew = false): Promise<void> {
  if (!anew && shown === location.pathname && moved !== null) return moved();
  shown = location.pathname;
  const found = route(shown);
  for (const link of document.querySelectorAll("#nav a")) {
    set(link, "aria-current", found !== null && link.getAttribute("href") === found.section ? "page" : null);
  }
  if (found === null) {
    document.getElementById("main")!.replaceChildren(panel("There is nothing at this address", "The links above lead to what there is.", "error"));
    return;
  }
  await run(found.open);
}

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest("a");
  if (link === null || link.origin !== location.origin || link.target !== "" || link.hasAttribute("download") || link.hash !== "") return;
  event.preventDefault();
  settle();
  if (link.pathname + link.search !== location.pathname + location.search) history.pushState(null, "", link.href);
  const stays = shown === location.pathname && moved !== null && link.closest("#nav") === null;
  if (!stays) scrollTo(0, 0);
  void open(!stays).then(() => stays || document.getElementById("main")!.focus({ preventScroll: true }));
}

function start(): void {
  applyTheme();
  document.getElementById("tools")!.append(themeButton());
  if (embedded() !== null) {
    document.documentElement.classList.add("exported");
    addEventListener("hashchange", () => moved?.());
    addEventListener("popstate", () => moved?.());
    void run(exportedPage);
    return;
  }
  document.addEventListener("click", follow);
  addEventListener("popstate", () => void open());
  void takeToken().then(() => open());
}

start();
