// Search in a terminal's screen: a field that is there when it is asked for, and the number of matches.

import { h, text } from "../dom.js";
import { icon } from "../icons.js";

const MARKS = { decorations: { matchBackground: "#5a4a12", activeMatchBackground: "#c98a12", matchOverviewRuler: "#c98a12", activeMatchColorOverviewRuler: "#ffd98a" } };

/** `elements` for the bar; `use(screen)` once there is one. Enter goes back, Shift+Enter forth, Escape ends. */
export function searchBar() {
  let screen = null;
  const input = h("input", { type: "search", placeholder: "Search…", "aria-label": "Search the terminal", hidden: true, oninput: () => find(true), onkeydown: onKey });
  const count = h("span", { class: "find-count", role: "status", hidden: true });
  const button = h("button", { type: "button", class: "icon-button", "aria-label": "Search the terminal", title: "Search", "aria-expanded": "false", onclick: () => toggle() }, icon("search"));

  function find(back) {
    if (!input.value) clear();
    else if (back) screen?.search.findPrevious(input.value, MARKS);
    else screen?.search.findNext(input.value, MARKS);
  }

  function clear() {
    screen?.search.clearDecorations();
    text(count, "");
  }

  function toggle() {
    const shown = input.hidden;
    input.hidden = count.hidden = !shown;
    button.setAttribute("aria-expanded", String(shown));
    if (shown) return input.focus();
    input.value = "";
    clear();
    screen?.term.focus();
  }

  function onKey(event) {
    if (event.key === "Enter") find(!event.shiftKey);
    else if (event.key === "Escape") toggle();
    else return;
    event.preventDefault();
  }

  return {
    elements: [input, count, button],
    use(made) {
      screen = made;
      screen.search.onDidChangeResults(({ resultIndex: index, resultCount: all }) => text(count, input.value ? `${index + 1}/${all}` : ""));
    },
  };
}
