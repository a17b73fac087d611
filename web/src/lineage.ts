/** Where each table stands in the picture, and what lies up and down of it. Pure. */

import type { LineageDoc } from "./api.js";

export interface Spot {
  readonly id: string;
  readonly kind: string;
  readonly column: number;
  readonly row: number;
  /** A place that an edge over several columns passes through, so that it runs behind no table. */
  readonly lane: boolean;
}

/** The id of the lane of an edge in a column. */
export const laneId = (from: string, to: string, column: number): string => JSON.stringify([from, to, column]);

const groups = (edges: readonly (readonly [string, string])[], from: 0 | 1): Map<string, string[]> => {
  const found = new Map<string, string[]>();
  for (const edge of edges) {
    const list = found.get(edge[from]);
    if (list === undefined) found.set(edge[from], [edge[1 - from]!]);
    else list.push(edge[1 - from]!);
  }
  return found;
};

/** The longest way from a source to each node; a cycle is cut where it closes. */
function depths(ids: readonly string[], parents: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const done = new Map<string, number>();
  const visit = (id: string, path: ReadonlySet<string>): number => {
    const known = done.get(id);
    if (known !== undefined) return known;
    const inner = new Set(path).add(id);
    const above = (parents.get(id) ?? []).filter((parent) => !inner.has(parent)).map((parent) => visit(parent, inner) + 1);
    const depth = above.reduce((a, b) => Math.max(a, b), 0);
    done.set(id, depth);
    return depth;
  };
  for (const id of ids) visit(id, new Set());
  return done;
}

/** Columns by depth; within a column, each node near the middle of its neighbours (four sweeps). */
export function layout(doc: LineageDoc): Spot[] {
  const kinds = new Map(doc.nodes.map((node) => [node.id, node.kind ?? ""]));
  for (const edge of doc.edges) for (const id of edge) if (!kinds.has(id)) kinds.set(id, "");
  const depth = depths([...kinds.keys()], groups(doc.edges, 1));
  const columns: string[][] = [];
  const put = (id: string, column: number): number => (columns[column] ??= []).push(id);
  for (const id of kinds.keys()) put(id, depth.get(id)!);
  const steps = doc.edges.flatMap(([from, to]) => {
    const way = [from];
    for (let column = depth.get(from)! + 1; column < depth.get(to)!; column++) {
      way.push(laneId(from, to, column));
      put(laneId(from, to, column), column);
    }
    return [...way, to].slice(1).map((id, i): [string, string] => [way[i]!, id]);
  });
  const parents = groups(steps, 1);
  const children = groups(steps, 0);
  const place = new Map<string, number>();
  const number = (ids: readonly string[]): void => ids.forEach((id, i) => place.set(id, i - ids.length / 2));
  columns.forEach((ids) => number(ids));
  for (let sweep = 0; sweep < 4; sweep++) {
    const near = sweep % 2 === 0 ? parents : children;
    const order = sweep % 2 === 0 ? columns : [...columns].reverse();
    for (const ids of order) {
      const middle = new Map(
        ids.map((id) => {
          const around = (near.get(id) ?? []).map((each) => place.get(each)!);
          return [id, around.length === 0 ? place.get(id)! : around.reduce((a, b) => a + b, 0) / around.length];
        }),
      );
      ids.sort((a, b) => middle.get(a)! - middle.get(b)!);
      number(ids);
    }
  }
  return columns.flatMap((ids, column) => ids.map((id, row) => ({ id, kind: kinds.get(id) ?? "", column, row, lane: !kinds.has(id) })));
}

/** All that `id` is made from, and all that is made from it; itself included. */
export function related(doc: LineageDoc, id: string): Set<string> {
  const found = new Set([id]);
  for (const near of [groups(doc.edges, 1), groups(doc.edges, 0)]) {
    const todo = [id];
    const seen = new Set(todo);
    while (todo.length > 0) {
      for (const next of near.get(todo.pop()!) ?? []) {
        if (seen.has(next)) continue;
        seen.add(next);
        found.add(next);
        todo.push(next);
      }
    }
  }
  return found;
}

/** The columns of one table with what they are computed from. */
export function columnsOf(doc: LineageDoc, id: string): [string, readonly string[]][] {
  return Object.entries(doc.columns ?? {})
    .filter(([name]) => name.slice(0, name.lastIndexOf(".")) === id)
    .map(([name, sources]) => [name.slice(id.length + 1), sources]);
}
