// Search in a list of lines, with the browser's own highlights: the lines themselves are not touched.

import { h, text } from "./dom.js";
import { icon } from "./icons.js";

const MOST = 2000;
// A log that floods is searched again this often, and no more.
const REFRESH_MS = 400;

/** A search field for the children of `lines`. Enter goes on, Shift+Enter back, Escape ends. */
export function finder(lines) {
  let found = [];
  let current = -1;
  // Without highlights, as in Firefox before 140, matches are counted and scrolled to, and not coloured.
  const Marks = globalThis.Highlight ?? Set;
  const all = new Marks();
  const one = new Marks();
  one.priority = 1;

  const input = h("input", { type: "search", placeholder: "Search…", "aria-label": "Search the log", autocomplete: "off", spellcheck: "false", oninput: () => search(true), onkeydown: onKey });
  const count = h("span", { class: "find-count soft", role: "status" });
  const step = (by, label, name) => h("button", { type: "button", class: "icon-button", "aria-label": label, onclick: () => go(by) }, icon(name));
  const element = h("div", { class: "find" }, h("div", { class: "search" }, icon("search"), input), count, step(-1, "Previous match", "up"), step(1, "Next match", "down"));

  function search(jump) {
    const needle = input.value.toLowerCase();
    found = needle ? [...lines.children].flatMap((line) => rangesIn(line, needle)).slice(-MOST) : [];
    all.clear();
    found.forEach((range) => all.add(range));
    CSS.highlights?.set("find", all);
    current = jump ? found.length - 1 : Math.min(current, found.length - 1);
    mark(jump);
  }

  function mark(scroll) {
    one.clear();
    CSS.highlights?.set("find-current", one);
    text(count, input.value ? `${current + 1}/${found.length}` : "");
    element.classList.toggle("is-active", input.value !== "");
    if (!found[current]) return;
    one.add(found[current]);
    if (scroll) found[current].startContainer.parentElement.closest(".log-line").scrollIntoView({ block: "nearest" });
  }

  function go(by) {
    if (!found.length) return;
    current = (current + by + found.length) % found.length;
    mark(true);
  }

  function onKey(event) {
    if (event.key === "Enter") go(event.shiftKey ? 1 : -1);
    else if (event.key === "Escape" && input.value) {
      input.value = "";
      search(false);
    } else return;
    event.preventDefault();
  }

  let waiting = false;
  return {
    element,
    /** The lines changed. */
    refresh() {
      if (!input.value || waiting) return;
      waiting = true;
      setTimeout(() => {
        waiting = false;
        search(false);
      }, REFRESH_MS);
    },
  };
}

/** Where `needle` stands in a line, across its coloured pieces. */
function rangesIn(line, needle) {
  const content = line.textContent.toLowerCase();
  const ranges = [];
  for (let at = content.indexOf(needle); at >= 0; at = content.indexOf(needle, at + needle.length)) {
    const range = new Range();
    range.setStart(...place(line, at));
    range.setEnd(...place(line, at + needle.length, true));
    ranges.push(range);
  }
  return ranges;
}

function place(line, offset, end = false) {
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let left = offset;
  let node;
  while ((node = walker.nextNode())) {
    if (left < node.length || (end && left === node.length)) return [node, left];
    left -= node.length;
  }
  return [line, line.childNodes.length];
}
