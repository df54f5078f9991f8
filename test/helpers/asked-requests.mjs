/**
 * Tells of each request that this process makes of DynamoDB and of AppConfig, without standing in its way. Before the modules that make them are
 * loaded.
 */

import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

/**
 * @param {(operation: string, body: string) => void} tell gets the body as it is sent; an operation of AppConfig is its method and path
 * @returns {() => void} ends it
 */
export function onRequests(tell) {
  const make = http.request;
  http.request = (...words) => {
    const request = make(...words);
    const [service, operation] = String(request.getHeader('x-amz-target')).split('.');
    if (service === 'DynamoDB_20120810') listen(request, (body) => tell(operation, body));
    if (/\/appconfig\/aws4_request/.test(String(request.getHeader('authorization'))))
      listen(request, (body) => tell(`${request.method} ${request.path}`, body));
    return request;
  };
  syncBuiltinESMExports();
  return () => {
    http.request = make;
    syncBuiltinESMExports();
  };
}

/** @param {http.ClientRequest} request @param {(body: string) => void} told */
function listen(request, told) {
  const parts = [];
  for (const name of ['write', 'end']) {
    const send = request[name].bind(request);
    request[name] = (part, ...rest) => {
      if (part !== undefined && typeof part !== 'function') parts.push(Buffer.from(part));
      if (name === 'end') told(Buffer.concat(parts).toString());
      return send(part, ...rest);
    };
  }
}
