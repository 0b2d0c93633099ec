// One container in the list, and the pieces of it that its own page shows too.

import { activity, perform, possible, VERBS } from "../actions.js";
import { h, reconcile, text } from "../dom.js";
import { date, since, stateLabel, stateTone, title } from "../format.js";
import { icon } from "../icons.js";
import { menu } from "../menu.js";
import { store } from "../store.js";

const MOST_TAGS = 3;
const MOST_PORTS = 3;

/** A row for `reconcile`; `onTag(tag)` is called for a click on one of its tags. */
export function containerRow(container, onTag) {
  const { cuid } = container;
  let now = container;
  let drawn = [];
  const state = h("span", { class: "state" }, h("span", { class: "dot" }), h("span", { class: "word truncate" }));
  const name = h("a", { class: "row-name truncate", href: `#/c/${cuid}` });
  const image = h("span", { class: "row-image mono truncate" });
  const tags = h("span", { class: "row-tags" });
  const ports = h("span", { class: "row-ports" });
  const age = h("span", { class: "row-age soft" });
  const bar = h("span", { class: "bar row-bar" }, h("i"));
  const buttons = [0, 1].map((slot) => actionButton(() => now, slot));
  const element = h(
    "li",
    { class: "row", dataset: { cuid }, onclick: (event) => event.target.closest("a, button, .menu") || getSelection().toString() || (location.hash = `#/c/${cuid}`) },
    state,
    h("span", { class: "row-title" }, name, image),
    tags,
    ports,
    age,
    h("span", { class: "row-actions" }, buttons, menu(`More for ${title(container)}`, () => rowMenu(now))),
    bar,
  );

  function update(next) {
    // Most changes are about one container: the other rows have nothing to do.
    const shows = [next, store.pending.get(cuid), store.pulls.get(next.image), ageOf(next)];
    if (shows.every((value, index) => value === drawn[index])) return;
    drawn = shows;
    now = next;
    const doing = activity(next);
    state.dataset.tone = doing ? "busy" : stateTone(next);
    text(state.lastElementChild, doing ? doing.label : stateLabel(next));
    text(name, title(next));
    name.title = title(next);
    text(image, next.image ?? "");
    text(age, ageOf(next));
    age.title = next.started_at ? `Started ${date(next.started_at)}` : `Created ${date(next.created_at)}`;
    bar.hidden = !doing;
    bar.toggleAttribute("data-open", doing?.fraction === null);
    bar.firstElementChild.style.setProperty("--done", doing?.fraction ?? 0);
    reconcile(tags, some(next.tags.map((tag) => ({ key: tag })), MOST_TAGS), keyOf, tagButton);
    reconcile(ports, some(portLinks(next), MOST_PORTS), keyOf, portLink);
    buttons.forEach((button) => button.redraw());
  }

  function tagButton({ key: tag, more }) {
    if (more) return { element: h("span", { class: "soft", title: now.tags.slice(MOST_TAGS).join(", ") }, `+${more}`) };
    return { element: h("button", { type: "button", class: "tag truncate", title: `Only #${tag}`, onclick: () => onTag(tag) }, tag) };
  }

  return { element, update };
}

/** The first `most` of `items`, and {more} for the others. */
function some(items, most) {
  return items.length > most ? [...items.slice(0, most), { more: items.length - most }] : items;
}

const keyOf = ({ key, more }) => (more ? `more ${more}` : `item ${key}`);

function portLink({ label, title: says, url, more }) {
  if (more) return { element: h("span", { class: "soft" }, `+${more}`) };
  return { element: url ? h("a", { class: "mono", href: url, target: "_blank", rel: "noopener", title: says }, label) : h("span", { class: "mono soft", title: says }, label) };
}

/** The `slot`-th most likely verb as a button that changes with the state; disabled while something runs. */
export function actionButton(current, slot, { labelled = false } = {}) {
  const button = h("button", { type: "button", class: labelled ? "button" : "icon-button", dataset: { slot }, onclick: () => perform(button.dataset.verb, current()) });
  button.redraw = () => {
    const container = current();
    const verb = possible(container)[slot];
    const busy = activity(container) !== null;
    button.hidden = !verb;
    if (!verb) return;
    button.disabled = busy;
    if (button.dataset.verb === verb) return;
    button.dataset.verb = verb;
    const { label, icon: name } = VERBS[verb];
    button.title = label;
    button.setAttribute("aria-label", `${label} ${title(container)}`);
    button.replaceChildren(icon(name), ...(labelled ? [label] : []));
  };
  return button;
}

function rowMenu(container) {
  const open = (tab, label, name) => ({ label, icon: name, run: () => (location.hash = `#/c/${container.cuid}/${tab}`) });
  return [
    open("logs", "Logs", "logs"),
    open("terminal", "Terminal", "terminal"),
    open("files", "Files", "folder"),
    ...possible(container).slice(2).map((verb) => ({ label: VERBS[verb].label, icon: VERBS[verb].icon, run: () => perform(verb, container) })),
    { label: "Delete…", icon: "trash", danger: true, run: () => perform("delete", container) },
  ];
}

function ageOf(container) {
  if (container.status === "running" || container.status === "paused") return `Up ${since(container.started_at)}`;
  if (container.status === "exited") return `${since(container.finished_at)} ago`;
  return container.status === "created" ? `Made ${since(container.created_at)} ago` : "";
}

/** Ports that are bound, as links; else those that will be. */
export function portLinks(container) {
  const bound = container.bound_ports?.length > 0;
  const ports = bound ? oneFamily(container.bound_ports) : (container.ports ?? []);
  const links = [...ports].sort((one, other) => one.container - other.container).map(({ host, container: inside, protocol }) => ({
    key: `${bound}${host}-${inside}-${protocol}`,
    label: host ? `:${host}` : `→${inside}`,
    title: `${host || "any"} → ${inside}/${protocol}`,
    url: bound && protocol === "tcp" ? `http://${location.hostname}:${host}/` : null,
  }));
  return [...new Map(links.map((link) => [link.key, link])).values()];
}

/** The engine binds a port for IPv4 and for IPv6, under two numbers when it chose them: one of the two is enough. */
function oneFamily(ports) {
  const isIpv6 = (port) => port.host_ip?.includes(":");
  const first = new Set(ports.filter((port) => !isIpv6(port)).map((port) => `${port.container}/${port.protocol}`));
  return ports.filter((port) => !isIpv6(port) || !first.has(`${port.container}/${port.protocol}`));
}
