/** What stands in a page's place while it loads, when it failed, and when there is nothing. */

import { ApiError } from "../api.js";
import { CubeError } from "../cube.js";
import { button, h, icon } from "../dom.js";

export function panel(title: string, text: string, kind: "error" | "empty" = "empty", ...actions: HTMLElement[]): HTMLElement {
  return h(
    "div",
    { class: `panel ${kind}`, role: kind === "error" ? "alert" : null },
    h("span", { class: "panel-mark" }, icon(kind === "error" ? "cross" : "dash")),
    h("div", {}, h("h2", {}, title), text !== "" && h("p", {}, text), actions.length > 0 && h("div", { class: "panel-actions" }, ...actions)),
  );
}

export function failure(error: unknown, retry?: () => void): HTMLElement {
  const again = retry === undefined ? [] : [button("Try again", { class: "button" }, retry)];
  if (error instanceof ApiError) return panel(error.message, error.hint, "error", ...(error.status === 401 ? [] : again));
  if (error instanceof CubeError) return panel("The dashboard's data cannot be read", `${error.message}. Load the page again.`, "error", ...again);
  const text = error instanceof Error ? error.message : String(error);
  return panel("This page has failed", `${text}. Load it again; if it fails again, please report it.`, "error", ...again);
}

export const loading = (text = "Loading"): HTMLElement => h("div", { class: "loading", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), text);
