// xterm writes <style> elements and style attributes, which our policy (style-src 'self') refuses. Here it gets
// elements that do the same through the CSSOM, which the policy allows.

const make = (document, tag, options) => Document.prototype.createElement.call(document, tag, options);

// xterm's rows are made by the page's own document, whatever documentOverride says: 24-bit colours and the marks of a
// search would not show. An attribute is refused, the same text set through the CSSOM is not.
const { setAttribute } = Element.prototype;
Element.prototype.setAttribute = function (name, value) {
  if (name === "style") this.style.cssText = value;
  else setAttribute.call(this, name, value);
};

/** A stand-in for `document`, as xterm's option documentOverride takes it. */
export function strictDocument(document) {
  return new Proxy(document, {
    get(target, name) {
      if (name === "createElement") return (tag, options) => createElement(target, tag, options);
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

/** Run `work` while the page's own document gives such elements too: xterm's viewport heeds no documentOverride. */
export function strictly(work) {
  document.createElement = (tag, options) => createElement(document, tag, options);
  try {
    work();
  } finally {
    delete document.createElement;
  }
}

function createElement(document, tag, options) {
  if (tag === "style") return styleElement(document);
  return make(document, tag, options);
}

/** Stands where a <style> would; its text is a constructed sheet until it is removed. */
function styleElement(document) {
  const sheet = new CSSStyleSheet();
  const element = make(document, "span");
  element.hidden = true;
  document.adoptedStyleSheets.push(sheet);
  const remove = element.remove.bind(element);
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    remove();
  };
  Object.defineProperty(element, "textContent", { set: (css) => sheet.replaceSync(css), get: () => "" });
  return element;
}
