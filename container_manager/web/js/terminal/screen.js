// One xterm with its addons, under a policy that allows no inline style.

import { ClipboardAddon } from "/web/vendor/addon-clipboard.mjs";
import { FitAddon } from "/web/vendor/addon-fit.mjs";
import { SearchAddon } from "/web/vendor/addon-search.mjs";
import { Unicode11Addon } from "/web/vendor/addon-unicode11.mjs";
import { WebLinksAddon } from "/web/vendor/addon-web-links.mjs";
import { WebglAddon } from "/web/vendor/addon-webgl.mjs";
import { Terminal } from "/web/vendor/xterm.mjs";

import { strictDocument, strictly } from "./strict_document.js";

const THEME = {
  background: "#0f1116",
  foreground: "#d7dbe3",
  cursor: "#86a2ff",
  cursorAccent: "#0f1116",
  selectionBackground: "#33468acc",
  black: "#1d2129",
  red: "#f47a7a",
  green: "#6fd08c",
  yellow: "#efc165",
  blue: "#7fa6ff",
  magenta: "#c99bf0",
  cyan: "#63cfd8",
  white: "#d7dbe3",
  brightBlack: "#6a7384",
  brightRed: "#ff9b9b",
  brightGreen: "#93e5aa",
  brightYellow: "#ffd98a",
  brightBlue: "#a6c1ff",
  brightMagenta: "#dfbcff",
  brightCyan: "#8fe6ed",
  brightWhite: "#ffffff",
};
const FONT = '"JetBrains Mono", ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace';
// Output that the screen has not drawn yet, in characters. Beyond MOST the oldest is skipped, so that what a person
// types during a flood shows at once.
const MOST = 4_000_000;
const KEPT = 500_000;
const LEAST_FONT = 7;

/** Open a terminal in `host`. `readOnly` takes no keys. */
export async function openScreen(host, { readOnly = false, scrollback = 10_000, size = null } = {}) {
  // A cell is measured once: with the font that it will be drawn in.
  await document.fonts.load(`14px ${FONT}`).catch(() => {});
  const term = new Terminal({
    allowProposedApi: true,
    cursorBlink: !readOnly,
    disableStdin: readOnly,
    documentOverride: strictDocument(document),
    fontFamily: FONT,
    fontSize: 14,
    lineHeight: 1.15,
    scrollback,
    theme: THEME,
    ...(size ?? {}),
  });
  const fit = new FitAddon();
  const search = new SearchAddon();
  term.loadAddon(fit);
  term.loadAddon(search);
  term.loadAddon(new Unicode11Addon());
  term.loadAddon(new ClipboardAddon());
  term.loadAddon(new WebLinksAddon((event, uri) => window.open(uri, "_blank", "noopener")));
  term.unicode.activeVersion = "11";
  strictly(() => term.open(host));
  accelerate(term);
  term.attachCustomKeyEventHandler((event) => ownKey(event, term));

  const waiting = [];
  let length = 0;
  let writing = false;
  const pump = () => {
    if (writing || !waiting.length) return;
    writing = true;
    const piece = waiting.splice(0).join("");
    length = 0;
    term.write(piece, () => {
      writing = false;
      pump();
    });
  };

  return {
    term,
    search,
    /** Draw output, in order, without ever holding much of it back. */
    write(data) {
      waiting.push(data);
      length += data.length;
      if (length > MOST) {
        const kept = waiting.splice(0).join("").slice(-KEPT);
        waiting.push("\x1b[0m\r\n\x1b[2m… output was faster than this screen; some is skipped …\x1b[0m\r\n", kept);
        length = kept.length;
      }
      pump();
    },
    /** Take the size of its place; gives it as {cols, rows}, null while it is not visible. */
    fit() {
      if (!host.clientWidth || !host.clientHeight) return null;
      fit.fit();
      return { cols: term.cols, rows: term.rows };
    },
    /** Draw smaller until its columns fit into `room` pixels, as far as one can still read it. */
    shrink(room) {
      const { offsetWidth: wide } = host.querySelector(".xterm-screen");
      if (wide > room) term.options.fontSize = Math.max(LEAST_FONT, Math.floor((term.options.fontSize * room) / wide));
    },
    reset() {
      waiting.length = 0;
      length = 0;
      term.reset();
    },
    dispose: () => term.dispose(),
  };
}

/** Draw with the GPU where there is one; xterm goes on with the DOM where there is none, or when it is lost. */
function accelerate(term) {
  try {
    const webgl = new WebglAddon();
    webgl.onContextLoss(() => webgl.dispose());
    term.loadAddon(webgl);
  } catch {
    // No WebGL 2 here.
  }
}

/** Keys that are the page's, not the program's. False keeps a key from the program. */
function ownKey(event, term) {
  if (event.type !== "keydown") return true;
  if (event.key === "F6") {
    document.querySelector(".tab[aria-current]")?.focus();
    event.preventDefault();
    return false;
  }
  if (event.ctrlKey && event.shiftKey && event.code === "KeyC" && term.hasSelection()) {
    navigator.clipboard?.writeText(term.getSelection());
    event.preventDefault();
    return false;
  }
  // The browser's own paste event brings the text.
  return !(event.ctrlKey && event.shiftKey && event.code === "KeyV");
}
