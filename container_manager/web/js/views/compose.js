// The Compose file, to read.

import { api } from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { complain, toast } from "../toast.js";

export function composePane({ cuid }) {
  let source = "";
  const code = h("code", {});
  const element = h(
    "section",
    { class: "pane pane-compose card", "aria-label": "Compose file" },
    h(
      "div",
      { class: "pane-bar" },
      h("span", { class: "soft" }, "As it stands on the server. Changes made there by hand are kept."),
      h("span", { class: "spacer" }),
      h("button", { type: "button", class: "button button-small button-quiet", onclick: copy }, icon("copy"), "Copy"),
      h("a", { class: "button button-small button-quiet", download: `${cuid}.yml`, href: `/containers/${cuid}/compose` }, icon("download"), "Download"),
    ),
    h("pre", { class: "yaml", tabindex: "0" }, code),
  );

  async function load() {
    try {
      const text = await api.compose(cuid);
      if (text === source) return;
      source = text;
      code.replaceChildren(...text.split("\n").flatMap((line) => [...coloured(line), "\n"]));
    } catch (error) {
      complain(error);
    }
  }
  async function copy() {
    await navigator.clipboard?.writeText(source);
    toast("Copied");
  }

  let last = null;
  let visible = false;
  return {
    element,
    update(container) {
      // Read again when something of it may have changed, not with every beat of its state.
      const key = JSON.stringify([container.image, container.env, container.ports, container.tags, container.resources, container.runs]);
      if (key !== last && visible) load();
      last = key;
    },
    shown(now) {
      visible = now;
      if (now) load();
    },
  };
}

const KEY = /^(\s*(?:- )?)([\w.-]+|"[^"]*")(:)(\s.*|)$/;

/** Keys, values and comments of a line of YAML, as nodes. */
function coloured(line) {
  if (/^\s*#/.test(line)) return [h("span", { class: "yaml-comment" }, line)];
  const match = KEY.exec(line);
  if (!match) return [h("span", { class: "yaml-value" }, line)];
  const [, indent, key, colon, value] = match;
  return [indent, h("span", { class: "yaml-key" }, key), colon, h("span", { class: "yaml-value" }, value)];
}
