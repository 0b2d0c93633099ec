// Elements from calls, and lists that are updated in place.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `props`: attributes; `on*` functions are listeners, `class`, `dataset`, `style` as one would expect. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name === "style") Object.entries(value).forEach(([key, text]) => element.style.setProperty(key, text));
  else if (name === "value") element.value = value;
  else element.setAttribute(name, value === true ? "" : value);
}

/** An SVG element from path data. */
export function svg(viewBox, ...paths) {
  const root = document.createElementNS(SVG, "svg");
  root.setAttribute("viewBox", viewBox);
  root.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    root.append(path);
  }
  return root;
}

/** Set text only when it differs: what a reader has selected stays selected. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/**
 * Make `parent`'s children match `items`, one each, by key. Elements are kept, moved only when the order changed,
 * so focus, hover and selection survive. `create(item)` gives {element, update?, destroy?}.
 */
export function reconcile(parent, items, keyOf, create) {
  const rows = (parent.rows ??= new Map());
  const wanted = new Set(items.map(keyOf));
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.destroy?.();
    row.element.remove();
    rows.delete(key);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let row = rows.get(key);
    if (!row) rows.set(key, (row = create(item)));
    row.update?.(item);
    if (row.element === place) place = place.nextElementSibling;
    else parent.insertBefore(row.element, place);
  }
}

const HIDDEN_MS = 100;

/** Call `run` at most once a frame, after the current work; a hidden page has no frames, and needs none. */
export function batched(run) {
  let waiting = false;
  const now = () => {
    waiting = false;
    run();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    if (document.hidden) setTimeout(now, HIDDEN_MS);
    else requestAnimationFrame(now);
  };
}
