// A zip of files, made in the browser. The parts stay Blobs, so that a large folder needs no memory of its own.

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes, crc = 0) {
  let value = ~crc;
  for (let index = 0; index < bytes.length; index += 1) value = TABLE[(value ^ bytes[index]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

const UTF8_NAME = 0x0800;
const STORED = 0;
const DEFLATED = 8;
const MOST = 0xffffffff;
// Compressing these again only costs time.
const PACKED = /\.(zip|gz|xz|zst|bz2|7z|jpe?g|png|gif|webp|avif|mp[34]|mkv|webm|ogg|woff2?|whl|jar|pdf)$/i;

/**
 * Zip `entries` ([{path, file}], `file` null for a folder) and tell `progress(read, total)` as they are read.
 * Throws when the result would need zip64: make such an archive outside of the browser.
 */
export async function zip(entries, progress = () => {}, signal = null) {
  const total = entries.reduce((sum, { file }) => sum + (file?.size ?? 0), 0);
  const parts = [];
  const directory = [];
  let offset = 0;
  let read = 0;
  for (const { path, file } of entries) {
    signal?.throwIfAborted();
    const name = new TextEncoder().encode(file ? path : `${path}/`);
    const packed = file ? await pack(file, (count) => progress((read += count), total), signal) : EMPTY;
    const common = header(packed, file, name.length);
    parts.push(record(0x04034b50, common), name, packed.body);
    directory.push({ common, name, offset, mode: file ? (packed.script ? 0o100755 : 0o100644) : 0o040755 });
    offset += 30 + name.length + packed.size;
    if (offset > MOST || packed.plain > MOST) throw new Error("This is too large to be zipped in the browser. Make a zip of it yourself and drop that.");
  }
  if (entries.length > 0xffff) throw new Error("These are too many files to be zipped in the browser. Make a zip of them yourself and drop that.");
  const start = offset;
  for (const entry of directory) {
    const head = central(entry);
    parts.push(head, entry.name);
    offset += head.length + entry.name.length;
  }
  parts.push(ending(directory.length, offset - start, start));
  return new Blob(parts, { type: "application/zip" });
}

const EMPTY = { body: new Uint8Array(), size: 0, plain: 0, crc: 0, method: STORED, script: false };

async function pack(file, tell, signal) {
  let crc = 0;
  let plain = 0;
  let script = false;
  const counted = new TransformStream({
    transform(chunk, controller) {
      // "#!": what a shell is meant to run keeps its right to be run.
      if (plain === 0) script = chunk[0] === 0x23 && chunk[1] === 0x21;
      crc = crc32(chunk, crc);
      plain += chunk.length;
      tell(chunk.length);
      controller.enqueue(chunk);
    },
  });
  let stream = file.stream().pipeThrough(counted, signal ? { signal } : {});
  const deflate = file.size > 64 && !PACKED.test(file.name);
  if (deflate) stream = stream.pipeThrough(new CompressionStream("deflate-raw"));
  const body = await new Response(stream).blob();
  return { body, size: body.size, plain, crc, method: deflate ? DEFLATED : STORED, script };
}

/** Everything that the local and the central header have in common. */
function header({ size, plain, crc, method }, file, nameLength) {
  const time = new Date(file?.lastModified ?? Date.now());
  const view = new DataView(new ArrayBuffer(26));
  view.setUint16(0, 20, true);
  view.setUint16(2, UTF8_NAME, true);
  view.setUint16(4, method, true);
  view.setUint16(6, (time.getHours() << 11) | (time.getMinutes() << 5) | (time.getSeconds() >> 1), true);
  view.setUint16(8, ((Math.max(1980, time.getFullYear()) - 1980) << 9) | ((time.getMonth() + 1) << 5) | time.getDate(), true);
  view.setUint32(10, crc, true);
  view.setUint32(14, size, true);
  view.setUint32(18, plain, true);
  view.setUint16(22, nameLength, true);
  return new Uint8Array(view.buffer);
}

function record(signature, common) {
  const bytes = new Uint8Array(4 + common.length);
  new DataView(bytes.buffer).setUint32(0, signature, true);
  bytes.set(common, 4);
  return bytes;
}

const MADE_BY_UNIX = 0x0314;

function central({ common, offset, mode }) {
  const bytes = new Uint8Array(46);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(4, MADE_BY_UNIX, true);
  bytes.set(common, 6);
  view.setUint32(38, (mode << 16) >>> 0, true);
  view.setUint32(42, offset, true);
  return bytes;
}

function ending(count, size, start) {
  const bytes = new Uint8Array(22);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x06054b50, true);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, size, true);
  view.setUint32(16, start, true);
  return bytes;
}
