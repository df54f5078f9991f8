/**
 * Preloaded into a process that runs `aws-lambda-ric`: in place of its native part, which asks the Runtime API for an invocation and posts
 * what came of it. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */

import { Agent, request } from 'node:http';
import Module from 'node:module';

const INVOCATION = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(`${INVOCATION}/${path}`, { method, headers, agent }, (got) => {
      const parts = [];
      got.on('data', (part) => parts.push(part));
      got.on('end', () => resolve({ headers: got.headers, bodyJson: Buffer.concat(parts).toString() }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The native part blocks until a post is answered; here the next invocation is not asked for before that. */
let posted = Promise.resolve();
const JSON_TYPE = { 'content-type': 'application/json' };

const native = {
  next: async () => {
    await posted;
    return call('GET', 'next');
  },
  done: (id, body) => {
    posted = call('POST', `${id}/response`, body, JSON_TYPE);
  },
  error: (id, body, xray) => {
    posted = call('POST', `${id}/error`, body, { ...JSON_TYPE, 'lambda-runtime-function-xray-error-cause': xray });
  },
};

const load = Module._load;
Module._load = (name, ...rest) => (name === './rapid-client.node' ? native : load(name, ...rest));
