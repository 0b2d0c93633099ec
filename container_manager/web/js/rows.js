// The parts of a container's form: tables of variables and ports, whose rows can be added, removed and pasted; limits.

import { h } from "./dom.js";
import { parseSpan, span } from "./format.js";
import { field } from "./forms.js";
import { icon } from "./icons.js";

/** `fields`: [{name, label, placeholder, type, options}]; the value is an array of objects of strings. */
export function rowsEditor({ fields, addLabel, initial = [], onpaste = null, columns }) {
  const list = h("div", { class: "rows-editor-list" });
  const add = (values = {}, focus = true) => {
    const row = h("div", { class: "rows-editor-row", style: { "grid-template-columns": `${columns} 34px` } });
    row.append(
      ...fields.map((field) => control(field, values[field.name] ?? "")),
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "aria-label": "Remove this line",
          onclick: () => {
            const next = row.nextElementSibling ?? row.previousElementSibling;
            row.remove();
            (next?.querySelector("input, textarea, select") ?? more).focus();
          },
        },
        icon("close"),
      ),
    );
    list.append(row);
    if (focus) row.querySelector("input").focus();
    return row;
  };

  function control({ name, label, placeholder, type = "text", options }, value) {
    const common = { name, "aria-label": label, value };
    if (options) {
      const select = h("select", { name, "aria-label": label }, options.map((option) => h("option", {}, option)));
      if (value) select.value = value;
      return select;
    }
    if (type === "lines") return h("textarea", { ...common, rows: 1, placeholder, spellcheck: "false" });
    return h("input", { ...common, type, placeholder, autocomplete: "off", spellcheck: "false", inputmode: type === "number" ? "numeric" : null, min: type === "number" ? 0 : null, max: type === "number" ? 65535 : null });
  }

  const more = h("button", { type: "button", class: "button button-small button-quiet", onclick: () => add() }, icon("plus"), addLabel);
  const element = h("div", { class: "rows-editor" }, list, more);
  if (onpaste) {
    list.addEventListener("paste", (event) => {
      const pasted = onpaste(event.clipboardData.getData("text"));
      if (!pasted || event.target.name !== fields[0].name) return;
      event.preventDefault();
      event.target.closest(".rows-editor-row").remove();
      pasted.forEach((values) => add(values, false));
    });
  }
  initial.forEach((values) => add(values, false));
  return {
    element,
    /** Rows in which the first field, or any, was filled in. */
    get value() {
      return [...list.children]
        .map((row) => Object.fromEntries(fields.map(({ name }) => [name, row.querySelector(`[name="${name}"]`).value])))
        .filter((row) => fields.some(({ name, options }) => !options && row[name] !== ""));
    },
  };
}

const VARIABLE = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)=(.*)$/;

/** The rows that a pasted .env file stands for; null when the text is none. */
export function parseEnvironment(pasted) {
  const lines = pasted.split(/\r?\n/).filter((line) => line.trim() && !line.trim().startsWith("#"));
  const found = lines.map((line) => VARIABLE.exec(line));
  if (!found.length || found.some((match) => match === null)) return null;
  return found.map(([, name, value]) => ({ name, value: value.replace(/^(["'])(.*)\1$/, "$2") }));
}

/** Editors of a container's variables and ports, with their way to and from the API. */
export function environmentEditor(env = {}) {
  const editor = rowsEditor({
    fields: [
      { name: "name", label: "Name of the variable", placeholder: "NAME" },
      { name: "value", label: "Its value", placeholder: "value", type: "lines" },
    ],
    columns: "minmax(0, 2fr) minmax(0, 3fr)",
    addLabel: "Add a variable",
    initial: Object.entries(env).map(([name, value]) => ({ name, value })),
    onpaste: parseEnvironment,
  });
  return { element: editor.element, read: () => Object.fromEntries(editor.value.map(({ name, value }) => [name, value])) };
}

export function portsEditor(ports = []) {
  const editor = rowsEditor({
    fields: [
      { name: "host", label: "Port on the server", placeholder: "Server", type: "number" },
      { name: "container", label: "Port in the container", placeholder: "Container", type: "number" },
      { name: "protocol", label: "Protocol", options: ["tcp", "udp", "sctp"] },
    ],
    columns: "minmax(0, 1fr) minmax(0, 1fr) 76px",
    addLabel: "Add a port",
    initial: ports.map((port) => ({ ...port, host: port.host || "" })),
  });
  return {
    element: editor.element,
    read: () =>
      editor.value.map(({ host, container, protocol }) => {
        const port = { host: Number(host || 0), container: Number(container || 0), protocol };
        // An address of its own is not shown here, and stays with its port.
        const known = ports.find((one) => one.host === port.host && one.container === port.container && one.protocol === protocol);
        return known?.host_ip ? { ...port, host_ip: known.host_ip } : port;
      }),
  };
}

/** Fields for a container's limits in size and time; `now` is the container that has some. */
export function limitsEditor(now = {}) {
  const { cpus, memory, pids } = now.resources ?? {};
  const input = (value, placeholder, more = {}) => h("input", { value: value ?? "", placeholder, autocomplete: "off", spellcheck: "false", ...more });
  const fields = {
    cpus: input(cpus, "1", { inputmode: "decimal" }),
    memory: input(memory, "1g"),
    pids: input(pids, "512", { inputmode: "numeric" }),
    ttl: input(span(now.ttl), "never"),
    idle: input(span(now.idle_timeout), "never"),
  };
  const number = (value) => Number(value.replace(",", "."));
  return {
    element: h(
      "div",
      { class: "limits" },
      h("div", { class: "triple" }, field("resources.cpus", "CPUs", fields.cpus), field("resources.memory", "Memory", fields.memory), field("resources.pids", "Processes", fields.pids)),
      h("div", { class: "pair" }, field("ttl", "Stop after", fields.ttl, "From its start: 45m, 8h, 2d."), field("idle_timeout", "Stop when idle for", fields.idle, "Nobody asks, types or sends.")),
    ),
    read() {
      const resources = {};
      if (fields.cpus.value.trim()) resources.cpus = number(fields.cpus.value);
      if (fields.memory.value.trim()) resources.memory = fields.memory.value.trim();
      if (fields.pids.value.trim()) resources.pids = number(fields.pids.value);
      return { resources, ttl: parseSpan(fields.ttl.value), idle_timeout: parseSpan(fields.idle.value) };
    },
  };
}

/** What stands between commas, each once. */
export const words = (value) => [...new Set(value.split(",").map((word) => word.trim()).filter(Boolean))];
