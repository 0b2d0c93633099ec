// Runs commands over /ws with the ws package: a command is typed as soon as the socket is open, then `exit`.
'use strict';

const WebSocket = require('ws');
const { axios, url, image, headers, check, withContainer, program } = require('./checks');

const address = (cuid) => `${url.replace('http://', 'ws://')}/ws/${cuid}`;

const text = (frame) => (frame.encoding === 'base64'
  ? Buffer.from(frame.data, 'base64').toString()
  : frame.data);

/** What `command` prints, and its exit code, which `exit` hands on. */
function execute(cuid, command) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address(cuid), { headers });
    const result = { stdout: '', stderr: '', exitCode: null };
    const type = (line) => socket.send(JSON.stringify({ type: 'stdin', data: `${line}\n`, encoding: 'utf8' }));
    socket.on('open', () => {
      type(command);
      setTimeout(() => type('exit'), 100);
    });
    socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'stdout' || frame.type === 'stderr') {
        result[frame.type] += text(frame);
      } else if (frame.type === 'exit') {
        result.exitCode = frame.code;
        socket.close();
      } else if (frame.type === 'error') {
        socket.close();
        reject(new Error(frame.error.message));
      }
    });
    socket.on('close', () => resolve(result));
    socket.on('error', reject);
  });
}

/** The status of the refusal that an upgrade gets. */
function refusal(cuid, options) {
  return new Promise((resolve) => {
    const socket = new WebSocket(address(cuid), options);
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('open', () => { socket.close(); resolve(101); });
    socket.on('error', () => {});
  });
}

program(async () => {
  await withContainer('echo the app itself; sleep 1000', async (cuid) => {
    const listing = await execute(cuid, 'ls -la /app');
    check('a command that ends well has the code 0', listing.exitCode === 0, listing);
    check('its output is there', listing.stdout.includes('total'), listing);

    const failure = await execute(cuid, "sh -c 'exit 7'");
    check('the code of one that fails is kept', failure.exitCode === 7, failure);

    const slow = await execute(cuid, "sleep 0.5; echo fin''ished");
    check('`exit` typed early waits for the command', slow.stdout.includes('finished'), slow);

    const many = await Promise.all([1, 2, 3, 4].map((n) => execute(cuid, `echo answer $((${n} * 111))`)));
    check('four at once do not mix', many.every((one, n) => one.stdout.includes(`answer ${(n + 1) * 111}`)), many);

    check('a page of another site is refused', await refusal(cuid, { headers, origin: 'https://evil.example' }) === 403);
    check('so is a client without credentials', await refusal(cuid, {}) === 401);
  });

  const { data } = await axios.post(`${url}/containers`, { image }, { headers });
  check('a container that does not run is 422', await refusal(data.cuid, { headers }) === 422);
  await axios.delete(`${url}/containers/${data.cuid}`, { headers });
  check('one that is gone is 404', await refusal(data.cuid, { headers }) === 404);
});
