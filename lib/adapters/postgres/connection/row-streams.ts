/**
 * Rows from one server to another, as COPY reads and writes them. No more of them is in memory than what the sockets hold, and a row.
 * Each end is one message, so one transaction; it begins with the session contract, like every call.
 */

import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type postgres from 'postgres';
import { isCrossfadeError } from '../../../core/base/errors.ts';
import type { Stated } from '../../../core/table/sql/session.ts';
import { placeOf } from './address.ts';
import { type ConnectionOptions, connect, head } from './connection.ts';
import { DEADLINE, translated } from './failures.ts';

type StreamOptions = { deadlineMs: number; settings?: Stated };

/** One end: a connection of its own, made when it is first needed, and given up after an error. */
export type RowStreams = {
  /** @param text a message whose last statement is COPY … TO STDOUT */
  read(text: string, limits: StreamOptions): Promise<Readable>;
  /** @param text a message whose last statement is COPY … FROM STDIN */
  write(text: string, limits: StreamOptions): Promise<Writable>;
  discard(): void;
  close(): Promise<void>;
};

export function rowStreams(options: ConnectionOptions): RowStreams {
  let client: postgres.Sql | null = null;
  const target = placeOf(options.url);
  const discard = () => {
    client?.end({ timeout: 0 }).catch(() => {});
    client = null;
  };
  async function open<Stream>(statement: string, text: string, call: StreamOptions): Promise<Stream> {
    try {
      const password = await options.password?.();
      client ??= connect(options, () => password ?? '');
      return (await client.unsafe(head(call.deadlineMs, call) + text).simple()) as unknown as Stream;
    } catch (error) {
      discard();
      throw translated(error, { target, statement, attempts: 1, deadlineMs: call.deadlineMs });
    }
  }
  return {
    read: (text, call) => open<Readable>('COPY … TO STDOUT', text, call),
    write: (text, call) => open<Writable>('COPY … FROM STDIN', text, call),
    discard,
    async close() {
      await client?.end({ timeout: 1 }).catch(() => {});
      client = null;
    },
  };
}

type End = { streams: RowStreams; text: string };

/**
 * Until the last row is handed over, or the first error of either end, and then both are ended. The driver does not say whether what was
 * written is committed: the caller asks the database. @throws CrossfadeError
 */
export async function pipeRows(from: End, to: End, call: StreamOptions): Promise<void> {
  const { deadlineMs } = call;
  const signal = AbortSignal.timeout(deadlineMs);
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(DEADLINE), { once: true });
  });
  late.catch(() => {});
  try {
    const writing = await Promise.race([to.streams.write(to.text, call), late]);
    // An error that comes after the pipeline has ended is seen by what is not there.
    writing.on('error', () => {});
    try {
      const reading = await Promise.race([from.streams.read(from.text, call), late]);
      await pipeline(reading, inPieces, writing, { signal, end: false });
      writing.end();
    } catch (error) {
      writing.destroy();
      throw error;
    }
  } catch (error) {
    to.streams.discard();
    if (isCrossfadeError(error)) throw error;
    const seen = signal.aborted ? DEADLINE : error;
    throw translated(seen, { target: 'either end of a copy', statement: 'COPY', attempts: 1, deadlineMs });
  } finally {
    // The driver stops reading the socket when the last rows fill the stream, and does not go on: the next answer would never come.
    from.streams.discard();
  }
}

/** The driver hands over a row at a time. Read this way, all rows that have come meanwhile are one piece: a row alone would be a system call. */
async function* inPieces(rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* rows;
}
