// A menu behind a button, in the browser's top layer: nothing around it cuts it off. It exists while it is open.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const GAP = 4;

/** `items()` is asked when it opens: [{label, icon, run, danger}]. The button shows `symbol`. */
export function menu(label, items, symbol = "more") {
  const list = h("div", { class: "menu-list", role: "menu", "aria-label": label, popover: "manual" });
  const button = h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, "aria-haspopup": "menu", "aria-expanded": "false" }, icon(symbol));
  const root = h("div", { class: "menu" }, button);

  const close = ({ refocus = false } = {}) => {
    if (!list.isConnected) return;
    list.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    removeEventListener("scroll", onScroll, true);
    removeEventListener("resize", close);
    if (refocus) button.focus();
  };
  const outside = (event) => root.contains(event.target) || close();
  /** It stays with its button, and goes with it. */
  const onScroll = (event) => {
    if (list.contains(event.target)) return;
    const { top, bottom } = button.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) close();
    else place();
  };

  function open() {
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
    root.append(list);
    list.showPopover();
    place();
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    addEventListener("scroll", onScroll, true);
    addEventListener("resize", close);
    list.firstElementChild?.focus({ preventScroll: true });
  }

  /** Below its button, or above it where there is no room below. */
  function place() {
    const at = button.getBoundingClientRect();
    const { offsetHeight: height, offsetWidth: width } = list;
    const below = at.bottom + GAP;
    list.style.top = `${below + height <= innerHeight ? below : Math.max(GAP, at.top - GAP - height)}px`;
    list.style.left = `${Math.max(GAP, Math.min(at.right - width, innerWidth - width - GAP))}px`;
  }

  button.addEventListener("click", () => (list.isConnected ? close() : open()));
  root.addEventListener("keydown", (event) => {
    if (!list.isConnected) return;
    const entries = [...list.children];
    const index = entries.indexOf(document.activeElement);
    if (event.key === "Escape") close({ refocus: true });
    else if (event.key === "ArrowDown") entries[(index + 1) % entries.length].focus();
    else if (event.key === "ArrowUp") entries.at(Math.max(index, 0) - 1).focus();
    else if (event.key === "Home") entries[0].focus();
    else if (event.key === "End") entries.at(-1).focus();
    else if (event.key === "Tab") return close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  root.addEventListener("focusout", (event) => event.relatedTarget && !root.contains(event.relatedTarget) && close());
  return root;
}
