// What was dropped or chosen, as a flat list of {path, file}.

// In a folder, what no program needs in its container; the command line leaves out the same.
const LEFT_OUT = new Set([".git", ".venv", "__pycache__", ".DS_Store"]);
const leftOut = (name) => LEFT_OUT.has(name) || name.endsWith(".pyc");

/** Everything in a drop, folders walked through. Must be called in the drop's own turn. */
export async function fromDrop(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const roots = items.map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!roots.length) return fromFiles(transfer.files);
  const entries = [];
  for (const root of roots) await walk(root, root.name, entries);
  return entries;
}

/** Files of an <input>; those of a folder carry their path. */
export function fromFiles(files) {
  return [...files]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter(({ path }) => !path.includes("/") || !path.split("/").some(leftOut));
}

async function walk(entry, path, entries) {
  if (entry.isFile) {
    entries.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
    return;
  }
  const reader = entry.createReader();
  const children = [];
  // It gives a hundred at a time, and none when there are no more.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    children.push(...some);
  }
  if (!children.length) entries.push({ path, file: null });
  for (const child of children) if (!leftOut(child.name)) await walk(child, `${path}/${child.name}`, entries);
}

/** A single zip is uploaded as it is. */
export function singleZip(entries) {
  const [only] = entries;
  return entries.length === 1 && only.file && /\.zip$/i.test(only.path) ? only.file : null;
}

/** The one folder that all entries lie in and what is in it, as {folder, entries}; null when there is no such. */
export function contents(entries) {
  const [folder] = entries[0].path.split("/");
  if (!entries.every(({ path }) => path.startsWith(`${folder}/`))) return null;
  return { folder, entries: entries.map(({ path, file }) => ({ path: path.slice(folder.length + 1), file })) };
}

/**
 * One dropped folder that is itself a program (it has a boot.py at its top) stands for its contents: they go to /app,
 * not into a folder of /app. Gives the entries, and the folder's name when it was taken away.
 */
export function unwrapProgram(entries) {
  const found = contents(entries);
  if (!found?.entries.some(({ path }) => path === "boot.py")) return { entries, unwrapped: null };
  return { entries: found.entries, unwrapped: found.folder };
}

/** What was chosen, for people: {name, files, bytes, zip, runs}; `runs` says whether a boot.py is at its top. */
export function describe(entries) {
  const ready = unwrapProgram(entries).entries;
  const files = entries.filter(({ file }) => file);
  const tops = new Set(entries.map(({ path }) => path.split("/")[0]));
  return {
    name: tops.size === 1 ? [...tops][0] : "",
    files: files.length,
    bytes: files.reduce((sum, { file }) => sum + file.size, 0),
    zip: singleZip(entries) !== null,
    runs: ready.some(({ path }) => path === "boot.py"),
  };
}
