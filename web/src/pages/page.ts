/** What a page is given by the frame around it. */

export interface Page {
  readonly main: HTMLElement;
  /** Aborted when the reader goes to another page. */
  readonly signal: AbortSignal;
  title(text: string): void;
  /** Writes the address without leaving the page. */
  address(url: string, step: "push" | "replace"): void;
  /** Called when the address changes but the page stays (back and forward). */
  moved(act: () => void): void;
  reload(): void;
}
