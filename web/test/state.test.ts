import assert from "node:assert/strict";
import { test } from "node:test";
import { buckets, fromParts, parseDay, rangeText } from "../src/dates.js";
import { formatState, parseState, toggle, withFilter } from "../src/state.js";
import type { DashboardDoc, Filter, FilterSpec, Key } from "../src/types.js";

const doc = (filters: Record<string, FilterSpec> = {}): DashboardDoc => ({
  name: "d", title: "", model: "m", measures: [], layout: [], cube: { where: "browser", cells: 0 }, filters,
  dimensions: [
    { name: "country", label: "Country", kind: "category" },
    { name: "odd name&=", label: "Odd", kind: "category" },
    { name: "date", label: "Date", kind: "date", grain: "day" },
  ],
});

const chosen = (...values: Key[]): Filter => ({ kind: "in", values });

test("an address keeps any value", () => {
  const values = [null, "", "a,b", "~x", "~null", "~all", "100%", "a+b", "a b", "ü&=#?", "..", "all"];
  for (const value of values) {
    const state = { filters: new Map([["odd name&=", chosen(value)], ["country", chosen("USA", value)]]), grains: new Map() };
    const query = formatState(state, doc());
    assert.deepEqual(parseState(`?${query}`, doc()).filters, state.filters, query);
    assert.ok(!/[\s#]/.test(query), query);
  }
});

test("the address in the contract reads as it looks", () => {
  const { filters } = parseState("?country=USA,Spain&date=2003-01-01..2003-12-31", doc());
  assert.deepEqual(filters.get("country"), chosen("USA", "Spain"));
  assert.deepEqual(filters.get("date"), { kind: "range", from: fromParts(2003, 0, 1), to: fromParts(2003, 11, 31) });
  assert.equal(formatState({ filters, grains: new Map() }, doc()), "country=USA,Spain&date=2003-01-01..2003-12-31");
});

test("dates may be short, open or turned round; nonsense is no filter", () => {
  const date = (text: string): Filter | undefined => parseState(`?date=${text}`, doc()).filters.get("date");
  assert.deepEqual(date("2003"), { kind: "range", from: fromParts(2003, 0), to: fromParts(2003, 11, 31) });
  assert.deepEqual(date("2004-02"), { kind: "range", from: fromParts(2004, 1), to: fromParts(2004, 1, 29) });
  assert.deepEqual(date("..2004-02-03"), { kind: "range", from: null, to: fromParts(2004, 1, 3) });
  assert.deepEqual(date("2004-02-03..2003-02-03"), { kind: "range", from: fromParts(2003, 1, 3), to: fromParts(2004, 1, 3) });
  for (const text of ["", "..", "x..y", "2003-13-01", "2003-02-30"]) assert.equal(date(text), undefined, text);
});

test("defaults hold until changed, locked ones always", () => {
  const made = doc({ country: { default: ["USA"] }, date: { default: ["2003-01-01", "2003-12-31"], locked: true } });
  assert.deepEqual(parseState("", made).filters.get("country"), chosen("USA"));
  assert.equal(formatState(parseState("", made), made), "");
  const all = withFilter(parseState("", made), "country", undefined);
  assert.equal(formatState(all, made), "country=~all");
  assert.equal(parseState("?country=~all", made).filters.has("country"), false);
  assert.deepEqual(parseState("?date=1999", made).filters.get("date"), { kind: "range", from: fromParts(2003, 0), to: fromParts(2003, 11, 31) });
});

test("a click chooses, adds and takes back", () => {
  assert.deepEqual(toggle(undefined, "a", false), chosen("a"));
  assert.equal(toggle(chosen("a"), "a", false), undefined);
  assert.deepEqual(toggle(chosen("a", "b"), "a", false), chosen("a"));
  assert.deepEqual(toggle(chosen("a"), null, true), chosen("a", null));
  assert.deepEqual(toggle(chosen("a", "b"), "a", true), chosen("b"));
  assert.equal(toggle(chosen("a"), "a", true), undefined);
});

test("ranges are said in the fewest words", () => {
  const said = (from: string, to: string): string => rangeText(parseDay(from), parseDay(to));
  assert.equal(said("2003-01-01", "2003-12-31"), "2003");
  assert.equal(said("2003-01-01", "2004-12-31"), "2003 – 2004");
  assert.equal(said("2003-04-01", "2003-06-30"), "Q2 2003");
  assert.equal(said("2003-03-01", "2003-06-30"), "Mar – Jun 2003");
  assert.equal(said("2003-11-01", "2004-02-29"), "Nov 2003 – Feb 2004");
  assert.equal(said("2003-03-05", "2003-03-05"), "5 Mar 2003");
});

test("buckets follow one another without a gap", () => {
  assert.equal(buckets(fromParts(2003, 0, 31), fromParts(2005, 4, 1), "month").length, 29);
  assert.deepEqual(buckets(fromParts(2003, 10, 2), fromParts(2004, 0, 1), "quarter"), [fromParts(2003, 9), fromParts(2004, 0)]);
  assert.deepEqual(buckets(-1, 0, "year"), [fromParts(1969, 0), fromParts(1970, 0)]);
});
