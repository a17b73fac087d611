/** The documents that the server sends (the contract between client and server). */

export type Grain = "day" | "month" | "quarter" | "year";
export type Key = string | null;

export interface MeasureSpec {
  readonly name: string;
  readonly label: string;
  readonly kind: "sum" | "count" | "average" | "ratio";
  readonly format?: string;
  readonly of?: readonly string[];
}

export interface DimensionSpec {
  readonly name: string;
  readonly label: string;
  readonly kind: "category" | "date";
  readonly grain?: Grain;
}

export interface FilterSpec {
  readonly default?: string | readonly string[];
  readonly multi?: boolean;
  readonly locked?: boolean;
}

export interface BarSpec {
  readonly by: string;
  readonly measure: string;
  readonly top?: number;
  readonly title?: string;
}

export interface AreaSpec {
  readonly x: string;
  readonly measure: string;
  readonly color?: string;
  readonly brush?: string;
  readonly title?: string;
}

export interface TileSpec {
  readonly kpi?: string | null;
  readonly bar?: BarSpec | null;
  readonly area?: AreaSpec | null;
}

export interface Unmatched {
  readonly dimension: string;
  readonly rows: number;
}

export interface Proof {
  readonly holds?: boolean;
  readonly level?: string;
  readonly text?: string;
  readonly checked?: string;
  readonly source?: string;
  readonly run?: string;
  readonly unmatched?: readonly Unmatched[];
}

export interface Release {
  readonly id: string;
  readonly published?: string;
  readonly run?: string;
}

export interface DashboardDoc {
  readonly name: string;
  readonly title: string;
  readonly model: string;
  readonly grain?: string;
  readonly release?: Release | null;
  readonly proof?: Proof | null;
  readonly measures: readonly MeasureSpec[];
  readonly dimensions: readonly DimensionSpec[];
  readonly filters?: Readonly<Record<string, FilterSpec>>;
  readonly layout: readonly (readonly TileSpec[])[];
  readonly cube: { readonly where: "browser" | "server"; readonly cells: number };
}

export interface DashboardEntry {
  readonly name: string;
  readonly title: string;
  readonly model: string;
}

/** What a reader chose on one dimension: values, or a range of days (both ends included). */
export type Filter =
  | { readonly kind: "in"; readonly values: readonly Key[] }
  | { readonly kind: "range"; readonly from: number | null; readonly to: number | null };

export type Filters = ReadonlyMap<string, Filter>;

/** One way to cut the cells: a category, or a date in buckets of `grain`. */
export interface Cut {
  readonly dimension: string;
  readonly grain?: Grain;
}

/** The values on one side of an answer: category values, or the first day of each bucket. */
export interface Axis {
  readonly cut: Cut;
  readonly keys: readonly Key[];
  readonly days: readonly number[];
}

/** One additive column of an answer: value = raw / 10^scale; whole numbers below 2^53 when exact. */
export interface Column {
  readonly raw: Float64Array;
  readonly scale: number;
  readonly exact: boolean;
}

/** An answer: at most two axes, row-major; `cells[i]` = 0 says that nothing is there (not zero). */
export interface Grid {
  readonly axes: readonly Axis[];
  readonly cells: Float64Array;
  readonly columns: ReadonlyMap<string, Column>;
}
