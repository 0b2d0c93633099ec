// What to do about an error, by its code. The message is the server's, the way out is ours.

const HINTS = {
  OFFLINE: () => "Check that it runs and that you are connected. The page goes on by itself once it answers.",
  UNAUTHORIZED: () => "Reload the page and log in again.",
  TOO_MANY_ATTEMPTS: () => "Wait a minute, then log in with the right password.",
  ORIGIN_REFUSED: () => "Open the page under the server's own address, or add this one to ALLOWED_ORIGINS.",
  CONTAINER_NOT_FOUND: () => "It was deleted meanwhile. Go back to the list.",
  FILE_NOT_FOUND: () => "It was moved or deleted meanwhile. Reload the folder.",
  IMAGE_NOT_FOUND: () => "Check the spelling and the tag. On a server without a registry, load it first: docker load or docker import.",
  PORT_IN_USE: ({ details }) =>
    `${details.owner ? `Stop ${details.owner}, or` : "Free the port, or"} give this container another host port.`,
  NAME_IN_USE: () => "Choose another name.",
  FILE_CHANGED: () => "Somebody, or the program itself, changed it meanwhile. Copy your text, close, and open it again.",
  SESSION_NOT_FOUND: () => "Open a new shell.",
  DIRECTORY_NOT_EMPTY: () => "Something came into it meanwhile. Delete it again to see what.",
  PATH_EXISTS: () => "Choose another name, or delete what is there.",
  CONTAINER_RUNNING: () => "Stop it first.",
  NOT_RUNNING: () => "Start the container first.",
  INVALID_TRANSITION: () => "Its state changed meanwhile; the buttons show what is possible now.",
  LIMIT_REACHED: () => "Close a session that is no longer needed.",
  BAD_ZIP: ({ details }) =>
    details.entry ? `Nothing was changed. Take “${details.entry}” out of the archive and try again.` : "Nothing was changed.",
  TOO_LARGE: () => "Upload less at once, or raise the limit in the server's settings.",
  NO_SPACE: () => "Delete files or containers that are no longer needed.",
  IO_ERROR: () => "Look at the disk of the server.",
  START_REFUSED: () => "Change what the message names, then start it again.",
  COMPOSE_FAILED: ({ details }) => details.stderr?.trim().split("\n").at(-1) ?? "",
  ENGINE_UNAVAILABLE: () => "Start the engine on the server. Everything here goes on by itself once it is back.",
  COMPOSE_FILE_BROKEN: ({ details }) =>
    details.line ? `Correct line ${details.line} of its Compose file on the server.` : "Correct its Compose file on the server.",
  TIMEOUT: () => "The engine is slow or busy. Try again; the state shown here is the true one.",
};

/** One sentence, or "" when the message says it all. */
export function hintFor(error) {
  return HINTS[error.code]?.(error) ?? "";
}
