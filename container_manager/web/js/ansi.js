// Colours in log lines: SGR sequences become classes, every other sequence is left out.

import { h } from "./dom.js";

const SEQUENCE = /\x1b\[([\d;:]*)([A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]/g;

/** A reader of lines that carries the colours from one line to the next. Gives nodes. */
export function ansiReader() {
  let style = {};
  return (line) => {
    // A line that was drawn over, as progress bars are: what was seen last.
    const seen = line.replace(/\r+$/, "");
    const text = seen.slice(seen.lastIndexOf("\r") + 1);
    if (!text.includes("\x1b") && !Object.keys(style).length && !/[\x00-\x08\x0b-\x1f]/.test(text)) return [text];
    const nodes = [];
    let last = 0;
    const push = (piece) => piece && nodes.push(Object.keys(style).length ? h("span", attributes(style), piece) : piece);
    for (const match of text.matchAll(SEQUENCE)) {
      push(text.slice(last, match.index));
      last = match.index + match[0].length;
      if (match[2] === "m") style = applied(style, match[1]);
    }
    push(text.slice(last));
    return nodes;
  };
}

function applied(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = { ...style };
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index];
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 22) (delete next.bold, delete next.dim);
    else if (code === 23) delete next.italic;
    else if (code === 24) delete next.underline;
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) next.color = `var(--ansi-${code < 90 ? code - 30 : code - 82})`;
    else if (code === 39) delete next.color;
    else if (code === 38 || code === 48) {
      const [color, used] = extended(codes.slice(index + 1));
      if (code === 38 && color) next.color = color;
      index += used;
    }
  }
  return next;
}

/** 256 colours and true colours: a CSS colour, and how many numbers it took. */
function extended([kind, ...rest]) {
  if (kind === 2) return [`rgb(${rest.slice(0, 3).map((value) => value & 255).join(" ")})`, 4];
  if (kind !== 5) return [null, 1];
  const number = rest[0] ?? 0;
  if (number < 16) return [`var(--ansi-${number})`, 2];
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return [`rgb(${grey} ${grey} ${grey})`, 2];
  }
  const level = (value) => (value ? 55 + value * 40 : 0);
  const cube = number - 16;
  return [`rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`, 2];
}

function attributes({ color, ...flags }) {
  const names = Object.keys(flags).map((flag) => `ansi-${flag}`);
  return { class: names.join(" ") || null, style: color ? { color } : null };
}
