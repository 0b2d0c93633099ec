// Keys that a phone's keyboard lacks. Shown by the style sheet where there is no real keyboard.

import { h } from "../dom.js";

const KEYS = [
  ["Esc", "\x1b"],
  ["Tab", "\t"],
  ["Ctrl C", "\x03"],
  ["Ctrl D", "\x04"],
  ["↑", "\x1b[A"],
  ["↓", "\x1b[B"],
  ["←", "\x1b[D"],
  ["→", "\x1b[C"],
  ["/", "/"],
  ["|", "|"],
  ["-", "-"],
];

export function touchKeys(type) {
  return h(
    "div",
    { class: "touch-keys", role: "group", "aria-label": "Keys" },
    // pointerdown would take the focus from the terminal, and the keyboard with it.
    KEYS.map(([label, keys]) => h("button", { type: "button", class: "touch-key", onpointerdown: (event) => event.preventDefault(), onclick: () => type(keys) }, label)),
  );
}
