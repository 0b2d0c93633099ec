// Lists with pages and filters, and downloads of a file and of a directory, with axios.
'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { pipeline } = require('stream/promises');
const { axios, url, image, headers, check, withContainer, program } = require('./checks');

/** Every container that matches, page by page. */
async function listContainers(filters, cursor = null) {
  const params = { ...filters, limit: 2 };
  if (cursor) params.cursor = cursor;
  const { data } = await axios.get(`${url}/containers`, { params, headers });
  check('a page is no longer than asked for', data.containers.length <= 2, data);
  if (!data.next_cursor) return data.containers;
  return [...data.containers, ...(await listContainers(filters, data.next_cursor))];
}

async function pages() {
  const tag = `pages-${process.pid}`;
  const made = [];
  for (let count = 0; count < 5; count += 1) {
    const { data } = await axios.post(`${url}/containers`, { image, tags: [tag] }, { headers });
    made.push(data.cuid);
  }
  try {
    const found = await listContainers({ tag });
    check('every page together is everything, oldest first',
      JSON.stringify(found.map((container) => container.cuid)) === JSON.stringify(made), found);
    const active = await listContainers({ tag, status: ['running', 'paused'].join(',') });
    check('none of them runs', active.length === 0, active);
    const idle = await listContainers({ tag, status: 'created,exited' });
    check('all of them are there', idle.length === made.length, idle);
  } finally {
    await Promise.all(made.map((cuid) => axios.delete(`${url}/containers/${cuid}`, { headers })));
  }
}

async function downloads(cuid) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'downloads-'));
  const container = `${url}/containers/${cuid}`;
  try {
    const file = path.join(folder, 'result.bin');
    const one = await axios.get(`${container}/download`,
      { params: { path: 'out/result.bin' }, headers, responseType: 'stream' });
    await pipeline(one.data, fs.createWriteStream(file));
    check('a file is streamed, byte for byte', fs.readFileSync(file).equals(Buffer.from([0, 255, 10, 65])));

    const zip = path.join(folder, 'backup.zip');
    const all = await axios.get(`${container}/download-zip`,
      { params: { path: 'out' }, headers, responseType: 'arraybuffer' });
    fs.writeFileSync(zip, all.data);
    const bytes = fs.readFileSync(zip);
    check('a directory comes as a zip', bytes.subarray(0, 2).toString() === 'PK', all.headers);
    check('with what is in it', bytes.includes('result.bin') && bytes.includes('deep/note.txt'));

    const missing = await axios.get(`${container}/download`,
      { params: { path: 'nowhere' }, headers, validateStatus: null });
    check('what is not there is 404 FILE_NOT_FOUND',
      missing.status === 404 && missing.data.code === 'FILE_NOT_FOUND', missing.data);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

const APP = "mkdir -p /app/out/deep; printf '\\0\\377\\nA' > /app/out/result.bin; echo note > /app/out/deep/note.txt;"
  + ' echo written > /app/done; sleep 1000';

/** Wait for what the container writes at its start. */
async function written(cuid) {
  for (let tries = 0; tries < 300; tries += 1) {
    const answer = await axios.get(`${url}/containers/${cuid}/download`,
      { params: { path: 'done' }, headers, validateStatus: null });
    if (answer.status === 200 && answer.data.length > 0) return;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  check('the container writes its files', false);
}

program(async () => {
  await pages();
  await withContainer(APP, async (cuid) => {
    await written(cuid);
    await downloads(cuid);
  });
});
