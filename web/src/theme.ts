/** Light, dark, or as the system says; the choice stays in this browser. */

import { button, icon, set } from "./dom.js";

const KEY = "mainstem-theme";
const ORDER = ["auto", "light", "dark"] as const;
type Theme = (typeof ORDER)[number];
const ICON = { auto: "auto", light: "sun", dark: "moon" } as const;
const WORDS = { auto: "as the system", light: "light", dark: "dark" } as const;

function read(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return ORDER.find((each) => each === kept) ?? "auto";
  } catch {
    return "auto";
  }
}

export function applyTheme(): void {
  const theme = read();
  set(document.documentElement, "data-theme", theme === "auto" ? null : theme);
}

export function themeButton(): HTMLButtonElement {
  let theme = read();
  const show = (): void => {
    made.replaceChildren(icon(ICON[theme]));
    made.title = `Colours: ${WORDS[theme]}`;
    set(made, "aria-label", `Colours: ${WORDS[theme]}. Change`);
  };
  const made = button(null, { class: "tool theme" }, () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]!;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Storage may be off; the choice then lasts as long as the page.
    }
    set(document.documentElement, "data-theme", theme === "auto" ? null : theme);
    show();
  });
  show();
  return made;
}
