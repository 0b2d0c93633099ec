// A menu behind a button. Open or closed is one attribute; nothing in it exists while it is closed.

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** `items()` is asked when it opens: [{label, icon, run, danger}]. */
export function menu(label, items) {
  const list = h("div", { class: "menu-list", role: "menu", hidden: true });
  const button = h("button", { type: "button", class: "icon-button", "aria-label": label, "aria-haspopup": "menu", "aria-expanded": "false" }, icon("more"));
  const root = h("div", { class: "menu" }, button, list);

  const close = ({ refocus = false } = {}) => {
    if (list.hidden) return;
    list.hidden = true;
    list.replaceChildren();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (refocus) button.focus();
  };
  const outside = (event) => root.contains(event.target) || close();
  const open = () => {
    list.replaceChildren(
      ...items().map((item) =>
        h(
          "button",
          {
            type: "button",
            role: "menuitem",
            class: item.danger ? "menu-item menu-item-danger" : "menu-item",
            onclick: () => {
              close({ refocus: true });
              item.run();
            },
          },
          icon(item.icon),
          item.label,
        ),
      ),
    );
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    list.firstElementChild?.focus();
  };

  button.addEventListener("click", () => (list.hidden ? open() : close()));
  root.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const entries = [...list.children];
    const index = entries.indexOf(document.activeElement);
    if (event.key === "Escape") close({ refocus: true });
    else if (event.key === "ArrowDown") entries[(index + 1) % entries.length].focus();
    else if (event.key === "ArrowUp") entries.at(index - 1).focus();
    else if (event.key === "Tab") return close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  root.addEventListener("focusout", (event) => event.relatedTarget && !root.contains(event.relatedTarget) && close());
  return root;
}
