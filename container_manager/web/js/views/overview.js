// What a container is and how it stands, and the dialog that changes it.

import { perform } from "../actions.js";
import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { clearFaults, field, group, showFaults } from "../forms.js";
import { date, since, stateLabel } from "../format.js";
import { icon } from "../icons.js";
import { environmentEditor, portsEditor, words } from "../rows.js";
import { store } from "../store.js";
import { toast } from "../toast.js";
import { usageCard } from "../usage.js";
import { portLinks } from "./dashboard.js";

const CLOCK_MS = 10_000;
const RUNS = { boot: "boot.py", image: "the image’s own command", command: "its command" };

export function overviewPane(first) {
  let container = first;
  let revealed = false;
  const element = h("section", { class: "pane pane-overview", "aria-label": "Overview" });
  const usage = usageCard(first.cuid);
  let visible = false;
  let drawn = "";

  const watch = () => usage.watch(visible && !document.hidden && container.status === "running");
  document.addEventListener("visibilitychange", watch);

  function render() {
    // Drawn anew only when something that it shows has changed: a text that is being selected stays.
    const state = JSON.stringify([container, revealed, container.started_at && since(container.started_at), container.finished_at && since(container.finished_at)]);
    if (state === drawn) return;
    drawn = state;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.keep : null;
    element.replaceChildren(...[problem(container), nextStep(container), h("div", { class: "facts" }, h("div", {}, usage.element, stateCard(container), limitsCard(container)), h("div", {}, setupCard(container), environmentCard(container)))].filter(Boolean));
    if (focused) element.querySelector(`[data-keep="${focused}"]`)?.focus();
  }

  function environmentCard({ env }) {
    const names = Object.keys(env ?? {});
    const reveal = h("button", { type: "button", class: "button button-small button-quiet", dataset: { keep: "reveal" }, "aria-pressed": String(revealed), onclick: () => ((revealed = !revealed), render()) }, icon("eye"), revealed ? "Hide values" : "Show values");
    return card(
      "Environment",
      names.length ? reveal : null,
      names.length
        ? h("dl", { class: "pairs pairs-env" }, names.flatMap((name) => [h("dt", { class: "mono" }, name), h("dd", { class: "mono env-value" }, revealed ? env[name] : "••••••")]))
        : h("p", { class: "soft" }, "No variables of your own. CONTAINER_UID and TAGS are always there."),
    );
  }

  const clock = setInterval(render, CLOCK_MS);
  render();
  return {
    element,
    update(next) {
      container = next;
      render();
      watch();
    },
    shown(now) {
      visible = now;
      watch();
    },
    destroy() {
      clearInterval(clock);
      document.removeEventListener("visibilitychange", watch);
      usage.watch(false);
    },
  };
}

function card(heading, action, ...content) {
  return h("article", { class: "card fact" }, h("header", { class: "fact-head" }, h("h2", {}, heading), action), ...content);
}

function pairs(entries) {
  return h("dl", { class: "pairs" }, entries.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function problem({ problem: text }) {
  if (!text) return null;
  return h("div", { class: "note note-bad", role: "alert" }, icon("alert"), h("div", {}, h("h3", {}, "Its Compose file cannot be read"), h("p", {}, text), h("p", { class: "soft" }, "Correct the file on the server: it is read again by itself. Until then only deleting is possible.")));
}

/** What a newcomer would not know to do next. */
function nextStep(container) {
  if (container.status !== "created" || container.problem) return null;
  const files = container.command
    ? [h("h3", {}, "Ready to start"), h("p", { class: "soft" }, "It runs its command. Files of yours, if it needs any, go into /app.")]
    : [h("h3", {}, "Next: its files"), h("p", { class: "soft" }, "Drop a folder or a zip with a boot.py under Files, then start it. Without a boot.py the image’s own command runs.")];
  return h(
    "div",
    { class: "note" },
    icon("upload"),
    h("div", { class: "note-body" }, ...files),
    h("div", { class: "note-actions" }, h("a", { class: "button button-small", href: `#/c/${container.cuid}/files`, dataset: { keep: "files" } }, "Open files"), h("button", { type: "button", class: "button button-small button-primary", dataset: { keep: "start" }, onclick: () => perform("start", container) }, "Start")),
  );
}

function stateCard(container) {
  const ports = portLinks(container);
  const ended = container.status === "exited" || container.status === "dead";
  return card(
    "State",
    null,
    pairs([
      ["Status", stateLabel(container)],
      ["Started", container.started_at && `${date(container.started_at)} (${since(container.started_at)} ago)`],
      ["Ended", ended && container.finished_at && `${date(container.finished_at)} (${since(container.finished_at)} ago)`],
      ["Exit code", ended && container.exit_code !== null && String(container.exit_code)],
      ["Runs", container.runs && RUNS[container.runs]],
      ["Created", date(container.created_at)],
      ["Ports", ports.length > 0 && h("span", { class: "port-list" }, ports.map((port) => (port.url ? h("a", { class: "mono", href: port.url, target: "_blank", rel: "noopener" }, port.title) : h("span", { class: "mono" }, port.title))))],
    ]),
  );
}

function setupCard(container) {
  const command = Array.isArray(container.command) ? container.command.join(" ") : container.command;
  return card(
    "Set-up",
    h("button", { type: "button", class: "button button-small", dataset: { keep: "edit" }, disabled: Boolean(container.problem), onclick: () => edit(container) }, icon("edit"), "Change"),
    pairs([
      ["Image", h("span", { class: "mono" }, container.image)],
      ["Command", command && h("code", { class: "command", title: command }, command)],
      ["Tags", container.tags?.length > 0 && h("span", { class: "row-tags" }, container.tags.map((tag) => h("a", { class: "tag", href: `#/?tag=${encodeURIComponent(tag)}` }, tag)))],
      ["User", container.user && h("span", { class: "mono" }, container.user)],
      ["Restart", container.restart],
      ["Volumes", container.volumes?.length > 0 && h("span", { class: "mono" }, container.volumes.join(", "))],
    ]),
  );
}

function limitsCard({ resources = {} }) {
  const { cpus, memory, pids } = resources;
  return card("Limits", null, pairs([["CPUs", cpus ? String(cpus) : "the server’s default"], ["Memory", memory ?? "the server’s default"], ["Processes", pids ? String(pids) : "the server’s default"]]));
}

/** The dialog that changes the set-up. Only what differs is sent. */
async function edit(container) {
  const answer = await openDialog(`Change ${container.name ?? "the container"}`, (close) => editForm(container, close), { wide: true });
  if (!answer) return;
  const { applied, ...changed } = answer;
  store.put(changed);
  const detail = { recreated: "It was made anew with them and runs again.", next_start: "They take effect at its next start.", unchanged: "Nothing differed." }[applied];
  toast("Changes saved", { detail });
}

function editForm(container, close) {
  const text = (value, more = {}) => h("input", { value: value ?? "", autocomplete: "off", spellcheck: "false", ...more });
  const { cpus = null, memory = null, pids = null } = container.resources ?? {};
  const image = text(container.image, { autofocus: true });
  const tags = text((container.tags ?? []).join(", "));
  const cpusInput = text(cpus, { inputmode: "decimal" });
  const memoryInput = text(memory);
  const pidsInput = text(pids, { inputmode: "numeric" });
  const env = environmentEditor(container.env);
  const ports = portsEditor(container.ports);
  const errors = h("p", { class: "form-error", role: "alert" });
  const submit = h("button", { type: "submit", class: "button button-primary" }, "Save");
  const running = container.status === "running" || container.status === "paused";
  const form = h(
    "form",
    { class: "dialog-body", method: "dialog", novalidate: true, onsubmit: send },
    running && h("div", { class: "note note-warn" }, icon("alert"), h("p", {}, "It is running: saving makes it anew with the changes, which restarts it.")),
    h("div", { class: "pair" }, field("image", "Image", image), field("tags", "Tags", tags)),
    group("ports", "Published ports", ports.element, "Leave the server’s port empty to get a free one."),
    group("env", "Variables", env.element),
    h("div", { class: "triple" }, field("resources.cpus", "CPUs", cpusInput), field("resources.memory", "Memory", memoryInput), field("resources.pids", "Processes", pidsInput)),
    errors,
    h("footer", { class: "dialog-foot" }, h("button", { type: "button", class: "button", onclick: () => close() }, "Cancel"), submit),
  );

  function difference() {
    const change = {};
    const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);
    if (image.value.trim() !== container.image) change.image = image.value.trim();
    if (differs(words(tags.value), container.tags)) change.tags = words(tags.value);
    const listed = ports.read();
    if (differs(listed, (container.ports ?? []).map(({ host, container: inside, protocol }) => ({ host, container: inside, protocol })))) change.ports = listed;
    const variables = env.read();
    const merged = Object.fromEntries(Object.entries(variables).filter(([name, value]) => container.env?.[name] !== value));
    for (const name of Object.keys(container.env ?? {})) if (!(name in variables)) merged[name] = null;
    if (Object.keys(merged).length) change.env = merged;
    const resources = {};
    const limit = (name, input, before, convert) => input.value.trim() && input.value.trim() !== String(before ?? "") && (resources[name] = convert(input.value.trim()));
    limit("cpus", cpusInput, cpus, Number);
    limit("memory", memoryInput, memory, String);
    limit("pids", pidsInput, pids, Number);
    if (Object.keys(resources).length) change.resources = resources;
    return change;
  }

  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    const change = difference();
    if (!Object.keys(change).length) return close();
    submit.disabled = true;
    submit.textContent = "Saving…";
    clearFaults(form);
    errors.textContent = "";
    try {
      close(await api.update(container.cuid, change));
    } catch (error) {
      errors.textContent = showFaults(form, error).map((fault) => fault.message).join(" ");
      if (errors.textContent && error.hint) errors.textContent += ` ${error.hint}`;
    } finally {
      submit.disabled = false;
      submit.textContent = "Save";
    }
  }
  return form;
}
