// What the JavaScript client programs share: the server's address, one line a check, and a container.
'use strict';

const axios = require('axios');

const url = process.env.CM_URL;
const image = process.env.CM_IMAGE || 'python:3.12-slim';
const basic = Buffer.from(`${process.env.CM_USER}:${process.env.CM_PASS}`).toString('base64');
const headers = { Authorization: `Basic ${basic}` };

/** Print one line; end the program at the first failure, with what was seen. */
function check(name, truth, ...seen) {
  console.log(`${truth ? 'ok' : 'FAILED'}: ${name}`, ...(truth ? [] : seen));
  if (!truth) process.exit(1);
}

/** Run `use(cuid)` with a container that runs the shell script `script`; remove it afterwards. */
async function withContainer(script, use) {
  const created = await axios.post(`${url}/containers`, { image, command: ['sh', '-c', script] }, { headers });
  check('a container is made', created.status === 201, created.data);
  const container = `${url}/containers/${created.data.cuid}`;
  try {
    const started = await axios.post(`${container}/start`, null, { headers });
    check('it starts', started.data.status === 'running', started.data);
    await use(created.data.cuid);
  } finally {
    await axios.delete(container, { headers, params: { force: true } });
  }
}

/** Run a program; whatever it throws is a failure. */
function program(main) {
  main().catch((problem) => check('no exception', false, problem, problem.response && problem.response.data));
}

module.exports = { axios, url, image, headers, check, withContainer, program };
