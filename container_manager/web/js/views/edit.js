// The dialog that changes a container's set-up. Only what differs is sent.

import { api } from "../api.js";
import { openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { clearFaults, field, group, showFaults } from "../forms.js";
import { icon } from "../icons.js";
import { environmentEditor, limitsEditor, portsEditor, words } from "../rows.js";
import { store } from "../store.js";
import { toast } from "../toast.js";

const APPLIED = {
  recreated: "It was made anew with them and runs again.",
  at_once: "They hold from now on.",
  next_start: "They take effect at its next start.",
  unchanged: "Nothing differed.",
};

export async function edit(container) {
  const answer = await openDialog(`Change ${container.name ?? "the container"}`, (close) => editForm(container, close), { wide: true });
  if (!answer) return;
  const { applied, ...changed } = answer;
  store.put(changed);
  toast("Changes saved", { detail: APPLIED[applied] });
}

function editForm(container, close) {
  const text = (value, more = {}) => h("input", { value: value ?? "", autocomplete: "off", spellcheck: "false", ...more });
  const image = text(container.image, { autofocus: true });
  const tags = text((container.tags ?? []).join(", "));
  const env = environmentEditor(container.env);
  const ports = portsEditor(container.ports);
  const limits = limitsEditor(container);
  const errors = h("p", { class: "form-error", role: "alert" });
  const submit = h("button", { type: "submit", class: "button button-primary" }, "Save");
  const running = container.status === "running" || container.status === "paused";
  const form = h(
    "form",
    { class: "dialog-body", method: "dialog", novalidate: true, onsubmit: send },
    running && h("div", { class: "note note-warn" }, icon("alert"), h("p", {}, "It is running: saving makes it anew, which restarts it. Only the times after which it stops hold at once.")),
    h("div", { class: "pair" }, field("image", "Image", image), field("tags", "Tags", tags, "Separated by commas.")),
    group("ports", "Published ports", ports.element, "Leave the server’s port empty to get a free one."),
    group("env", "Variables", env.element),
    limits.element,
    errors,
    h("footer", { class: "dialog-foot" }, h("button", { type: "button", class: "button", onclick: () => close() }, "Cancel"), submit),
  );

  function difference() {
    const change = {};
    const differs = (one, other) => JSON.stringify(one) !== JSON.stringify(other);
    if (image.value.trim() !== container.image) change.image = image.value.trim();
    if (differs(words(tags.value), container.tags)) change.tags = words(tags.value);
    const listed = ports.read();
    if (differs(listed, (container.ports ?? []).map(({ host, container: inside, protocol, host_ip: address }) => ({ host, container: inside, protocol, ...(address && { host_ip: address }) })))) change.ports = listed;
    const variables = env.read();
    const merged = Object.fromEntries(Object.entries(variables).filter(([name, value]) => container.env?.[name] !== value));
    for (const name of Object.keys(container.env ?? {})) if (!(name in variables)) merged[name] = null;
    if (Object.keys(merged).length) change.env = merged;
    const { resources, ...times } = limits.read();
    const other = Object.entries(resources).filter(([name, value]) => value !== (container.resources?.[name] ?? null));
    if (other.length) change.resources = Object.fromEntries(other);
    for (const [name, value] of Object.entries(times)) if (value !== (container[name] ?? 0)) change[name] = value;
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
