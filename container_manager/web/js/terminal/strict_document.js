// xterm writes <style> elements and style attributes, which our policy (style-src 'self') refuses. It lets one hand it
// a document: this one gives it elements that do the same through the CSSOM, which the policy allows.

/** A stand-in for `document` that behaves as it does, but for what `createElement` gives. */
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

function createElement(document, tag, options) {
  if (tag === "style") return styleElement(document);
  const element = document.createElement(tag, options);
  const setAttribute = element.setAttribute;
  element.setAttribute = (name, value) =>
    name === "style" ? void (element.style.cssText = value) : setAttribute.call(element, name, value);
  return element;
}

/** Stands where a <style> would; its text is a constructed sheet for as long as it is in the document. */
function styleElement(document) {
  const sheet = new CSSStyleSheet();
  const element = document.createElement("span");
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
