// A connection to a terminal session that comes back by itself. Knows the protocol, not the screen.

import { api } from "../api.js";

const RETRY_MS = [250, 1000, 2000, 5000];
const PING_MS = 25_000;
// Large pastes go in pieces, so that no frame is refused for its size.
const PIECE = 16_384;

/**
 * Attach to session `sid` of `cuid`. `on` gets: attached(), output(text | Uint8Array), exit(frame), error(error),
 * lost(), size(cols, rows).
 */
export function connect({ cuid, sid, role, size, on }) {
  let socket = null;
  let attempt = 0;
  let ended = false;
  let retry = 0;
  let pinging = 0;
  let current = size;

  async function open() {
    let ticket;
    try {
      ({ ticket } = await api.ticket({ cuid, session: sid, role }));
    } catch (error) {
      if (ended) return;
      // A server that does not answer will; one that refuses has said why.
      if (error.code === "OFFLINE" || error.status >= 500) return again();
      ended = true;
      on.error(error);
      return;
    }
    if (ended) return;
    const query = new URLSearchParams({ session: sid, role, ticket, ...(current ?? {}) });
    const mine = (socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/${cuid}?${query}`));
    mine.onmessage = (event) => mine === socket && receive(JSON.parse(event.data));
    mine.onopen = () => {
      attempt = 0;
      on.attached();
      if (current) send({ type: "resize", ...current });
      clearInterval(pinging);
      pinging = setInterval(() => send({ type: "ping" }), PING_MS);
    };
    mine.onclose = () => {
      if (mine !== socket || ended) return;
      on.lost();
      again();
    };
  }

  function again() {
    clearInterval(pinging);
    clearTimeout(retry);
    retry = setTimeout(open, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]);
    attempt += 1;
  }

  function receive(frame) {
    switch (frame.type) {
      case "stdout":
      case "stderr":
        return on.output(frame.encoding === "base64" ? decode(frame.data) : frame.data);
      case "exit":
        finish();
        return on.exit(frame);
      case "error":
        return on.error(frame.error);
      case "resize":
      case "size":
        return on.size?.(frame.cols, frame.rows);
      default:
        return undefined;
    }
  }

  function send(frame) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  }

  function finish() {
    ended = true;
    clearTimeout(retry);
    clearInterval(pinging);
  }

  open();
  return {
    type(text) {
      for (let at = 0; at < text.length; ) {
        let end = Math.min(text.length, at + PIECE);
        // Never between the halves of a surrogate pair.
        if (end < text.length && text.charCodeAt(end) >= 0xdc00 && text.charCodeAt(end) <= 0xdfff) end -= 1;
        send({ type: "stdin", data: text.slice(at, end), encoding: "utf8" });
        at = end;
      }
    },
    typeBytes: (binary) => send({ type: "stdin", data: btoa(binary), encoding: "base64" }),
    signal: (name) => send({ type: "signal", name }),
    resize(next) {
      if (!next || (current && current.cols === next.cols && current.rows === next.rows)) return;
      current = next;
      send({ type: "resize", ...next });
    },
    /** Leave; the session stays for its grace. */
    leave() {
      finish();
      const old = socket;
      socket = null;
      old?.close();
    },
  };
}

const decoder = new TextDecoder();
/** Bytes that are no UTF-8, as the screen can show them. */
const decode = (data) => decoder.decode(Uint8Array.from(atob(data), (character) => character.charCodeAt(0)));
