// The list of all containers: filters in the address, rows that change in place.

import { h, reconcile, text } from "../dom.js";
import { icon } from "../icons.js";
import { store } from "../store.js";
import { takeDrops } from "../upload/take_drops.js";
import { createContainer } from "./create.js";
import { emptyState } from "./empty.js";
import { containerRow } from "./row.js";

const STATUSES = [
  ["running", "Running"],
  ["paused", "Paused"],
  ["restarting", "Restarting"],
  ["exited", "Exited"],
  ["created", "Not started"],
  ["dead", "Dead"],
  ["broken", "Broken file"],
];
const statusOf = (container) => (container.problem ? "broken" : container.status);
const CLOCK_MS = 10_000;
const MOST_TAGS = 24;

export function dashboard() {
  let filters = { status: "", tag: "", q: "" };

  const search = h("input", { type: "search", placeholder: "Name, image, id, port…", "aria-label": "Search containers", autocomplete: "off", spellcheck: "false", oninput: () => go({ q: search.value }) });
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Filter by state" });
  const tags = h("div", { class: "chips chips-tags", role: "group", "aria-label": "Filter by tag" });
  const rows = h("ul", { class: "rows", "aria-label": "Containers", onkeydown: arrows });
  const count = h("span", { class: "count soft", role: "status" });
  const place = h("div", { class: "place" });
  const element = h(
    "section",
    { class: "dashboard" },
    h("div", { class: "page-head" }, h("h1", {}, "Containers"), count),
    h("div", { class: "filters" }, h("div", { class: "search" }, icon("search"), search, h("kbd", {}, "/")), chips, tags),
    h("div", { class: "card list" }, rows, place),
  );

  /** Write the filters into the address without a new entry in the history. */
  function go(change) {
    filters = { ...filters, ...change };
    const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value)).toString();
    history.replaceState(null, "", query ? `#/?${query}` : "#/");
    render();
  }

  function render() {
    const all = store.containers;
    const shown = all.filter((container) => matches(container, filters));
    renderChips(all);
    reconcile(rows, shown, (container) => container.cuid, (container) => containerRow(container, (tag) => go({ tag })));
    text(count, all.length ? (shown.length === all.length ? `${all.length}` : `${shown.length} of ${all.length}`) : "");
    element.classList.toggle("is-empty", !all.length);
    const empty = shown.length ? "" : !store.loaded ? (store.error ? "error" : "loading") : all.length ? "none" : "first";
    rows.hidden = !shown.length;
    if (place.dataset.shows !== empty) {
      place.dataset.shows = empty;
      place.replaceChildren(...emptyState(empty, () => { search.value = ""; go({ status: "", tag: "", q: "" }); }));
    }
  }

  function renderChips(all) {
    const counts = STATUSES.map(([status, label]) => ({ key: status, label, count: all.filter((one) => statusOf(one) === status).length }));
    const wanted = counts.filter((chip) => chip.count || chip.key === filters.status);
    reconcile(chips, [{ key: "", label: "All", count: all.length }, ...wanted], (chip) => chip.key, (chip) => chipButton("status", chip.key));
    reconcile(tags, tagsOf(all, filters.tag).map((name) => ({ key: name, label: `#${name}` })), (chip) => chip.key, (chip) => chipButton("tag", chip.key));
  }

  function chipButton(filter, key) {
    const label = h("span", { class: "truncate" });
    const number = h("b", {});
    const button = h("button", { type: "button", class: "chip", onclick: () => go({ [filter]: filters[filter] === key ? "" : key }) }, label, number);
    return {
      element: button,
      update(chip) {
        text(label, chip.label);
        text(number, chip.count === undefined ? "" : String(chip.count));
        number.hidden = chip.count === undefined;
        button.setAttribute("aria-pressed", String(filters[filter] === key));
      },
    };
  }

  takeDrops(element, (files) => createContainer({ files }));
  const unsubscribe = store.subscribe(render);
  const clock = setInterval(render, CLOCK_MS);
  return {
    kind: "dashboard",
    element,
    filter(parameters) {
      filters = { status: parameters.get("status") ?? "", tag: parameters.get("tag") ?? "", q: parameters.get("q") ?? "" };
      if (search.value !== filters.q) search.value = filters.q;
      document.title = "Containers";
      render();
    },
    destroy() {
      unsubscribe();
      clearInterval(clock);
    },
  };
}

/** The tags that most containers have, in their order, and the one that is filtered by. */
function tagsOf(all, chosen) {
  const counts = new Map();
  for (const tag of all.flatMap((one) => one.tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  const most = [...counts.keys()].sort((one, other) => counts.get(other) - counts.get(one)).slice(0, MOST_TAGS);
  return [...new Set(chosen ? [...most, chosen] : most)].sort();
}

function matches(container, { status, tag, q }) {
  if (status && statusOf(container) !== status) return false;
  if (tag && !container.tags?.includes(tag)) return false;
  const ports = [...(container.ports ?? []), ...(container.bound_ports ?? [])].map((port) => `:${port.host}`);
  const hay = [container.name, container.cuid, container.image, ...(container.tags ?? []), ...ports].join(" ").toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => hay.includes(word));
}

/** Up and down move from row to row. */
function arrows(event) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (event.target.closest(".menu-list")) return;
  const names = [...event.currentTarget.querySelectorAll(".row-name")];
  const index = names.indexOf(event.target.closest(".row")?.querySelector(".row-name"));
  names[index + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
  event.preventDefault();
}
