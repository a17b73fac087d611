/** Requests to the server that served this page, with the token of its link. */

import type { DashboardDoc, DashboardEntry } from "./types.js";

/** What went wrong, in words for the reader. `status` 0: no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint = "",
  ) {
    super(message);
  }
}

const KEY = "mainstem-token";

/**
 * The token comes in the fragment once, moves to the tab's storage and leaves the address bar. A tab
 * that was opened from another one asks its neighbours, which only pages of this server can hear.
 */
export async function takeToken(): Promise<void> {
  const match = /[#&]token=([^&]+)/.exec(location.hash);
  if (match) {
    sessionStorage.setItem(KEY, decodeURIComponent(match[1]!));
    history.replaceState(null, "", location.pathname + location.search);
  }
  const channel = new BroadcastChannel(KEY);
  if (sessionStorage.getItem(KEY) === null) await borrow(channel);
  channel.onmessage = (event) => {
    const token = sessionStorage.getItem(KEY);
    if (event.data === "ask" && token !== null) channel.postMessage({ token });
  };
}

function borrow(channel: BroadcastChannel): Promise<void> {
  return new Promise((done) => {
    channel.onmessage = (event) => {
      const token = (event.data as { token?: unknown } | null)?.token;
      if (typeof token !== "string") return;
      sessionStorage.setItem(KEY, token);
      done();
    };
    channel.postMessage("ask");
    setTimeout(done, 1000);
  });
}

function explain(status: number, body: unknown): ApiError {
  const error = (body as { error?: { message?: unknown; hint?: unknown } } | null)?.error;
  const message = typeof error?.message === "string" ? error.message : "";
  const hint = typeof error?.hint === "string" ? error.hint : "";
  if (status === 401) {
    return new ApiError(401, "This page needs the link that the server printed", "Open the link that “mainstem serve” shows in its terminal: it carries a token that is new at each start. If it has scrolled away, start “mainstem serve” again.");
  }
  if (status === 404) return new ApiError(404, message || "There is nothing at this address", hint);
  if (status >= 500) return new ApiError(status, message || "The server failed to answer", hint || "Its terminal says why. The data is not affected; try again.");
  return new ApiError(status, message || `The server refused the request (${status})`, hint);
}

async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const token = sessionStorage.getItem(KEY);
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("Authorization", `Bearer ${token}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer", "Is “mainstem serve” still running? Start it again, then open the link that it prints.");
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  throw explain(response.status, body);
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await request(path, init);
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, "The server's answer cannot be read", "Is this page from another version than the server? Load it again.");
  }
}

const post = (body: unknown, signal?: AbortSignal): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
  ...(signal === undefined ? {} : { signal }),
});

const part = encodeURIComponent;

export interface QueryAnswer {
  readonly columns: readonly (string | { readonly name: string })[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export interface SqlAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated: boolean;
  readonly seconds: number;
}

export interface TableEntry {
  readonly table: string;
  readonly kind?: string;
  readonly description?: string;
  readonly rows?: number | null;
  readonly bytes?: number | null;
  readonly snapshot?: string | number | null;
  readonly grain?: string;
  readonly why?: readonly string[];
  readonly sql?: string | null;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly description?: string;
    readonly nullable?: boolean;
    readonly references?: string | null;
  }[];
}

export interface LineageDoc {
  readonly nodes: readonly { readonly id: string; readonly kind?: string }[];
  readonly edges: readonly (readonly [string, string])[];
  readonly columns?: Readonly<Record<string, readonly string[]>>;
}

export const api = {
  dashboards: (): Promise<DashboardEntry[]> => json("/api/dashboards"),
  dashboard: (name: string): Promise<DashboardDoc> => json(`/api/dashboards/${part(name)}`),
  cube: async (name: string): Promise<ArrayBuffer> => (await request(`/api/dashboards/${part(name)}/cube`)).arrayBuffer(),
  query: (name: string, body: unknown, signal: AbortSignal): Promise<QueryAnswer> =>
    json(`/api/dashboards/${part(name)}/query`, post(body, signal)),
  current: (): Promise<Record<string, unknown>> => json("/api/releases/current"),
  run: (run: string): Promise<Record<string, unknown>> => json(`/api/runs/${part(run)}`),
  sql: (sql: string, limit: number, signal: AbortSignal): Promise<SqlAnswer> => json("/api/sql", post({ sql, limit }, signal)),
  catalog: (): Promise<TableEntry[]> => json("/api/catalog"),
  lineage: (): Promise<LineageDoc> => json("/api/lineage"),
};

/** What a static export carries inside: the dashboard's document and the cube's bytes (gzip, base64). */
export function embedded(): { dashboard: DashboardDoc; cube: string } | null {
  const text = document.getElementById("mainstem-data")?.textContent;
  return text ? (JSON.parse(text) as { dashboard: DashboardDoc; cube: string }) : null;
}

export async function unpack(base64: string): Promise<ArrayBuffer> {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
