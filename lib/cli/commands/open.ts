/** Serves the page and the API of any Crossfade on this machine, as its operator, until the person stops it. */

import { once } from 'node:events';
import { type Context, EXIT, openApi } from '../context.ts';
import { startFront } from '../front.ts';
import { printableJson } from '../text.ts';

export async function open(context: Context): Promise<number> {
  const { io, options } = context;
  const { connection } = openApi(context);
  // Said at once instead of at the first click.
  const { sign } = connection;
  if (!sign) connection.token();
  const front = await startFront({
    port: options.listen ?? 0,
    target: connection.url,
    mintToken: () => connection.token(),
    sign,
  });
  const { url } = front;
  io.stdout(
    options.json
      ? `${printableJson({ url, target: connection.url })}\n`
      : `${url}/ shows ${connection.url}. Open it in a browser on this machine; Ctrl-C ends it.\n`,
  );
  try {
    if (!io.signal.aborted) await once(io.signal, 'abort');
  } finally {
    await front.close();
  }
  return EXIT.done;
}
