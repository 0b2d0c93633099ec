// A small table that people fill in: variables, ports. Rows can be added, removed, and pasted.

import { h } from "./dom.js";
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
      { name: "host", label: "Port on the server", placeholder: "Server (any)", type: "number" },
      { name: "container", label: "Port in the container", placeholder: "Container", type: "number" },
      { name: "protocol", label: "Protocol", options: ["tcp", "udp", "sctp"] },
    ],
    columns: "minmax(0, 1fr) minmax(0, 1fr) 84px",
    addLabel: "Add a port",
    initial: ports.map((port) => ({ ...port, host: port.host || "" })),
  });
  return {
    element: editor.element,
    read: () =>
      editor.value.map(({ host, container, protocol }) => ({ host: Number(host || 0), container: Number(container || 0), protocol })),
  };
}

/** Words between commas or spaces. */
export const words = (value) => [...new Set(value.split(/[,\s]+/).filter(Boolean))];
