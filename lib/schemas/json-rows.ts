/**
 * The array `rows` of a large JSON object, one element at a time: its bytes are found without parsing them, so a file of a
 * million rows costs its own size in memory and not twenty times that. The rest of the object is parsed as usual.
 */

export type JsonRows = {
  /** The object with `rows` emptied; anything else as it is. */
  rest: unknown;
  length: number;
  /** @throws SyntaxError */
  row(index: number): unknown;
};

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const BOM = 3;

/** @throws SyntaxError where the rest, or the length of the array, cannot be read */
export function readJsonRows(bytes: Buffer): JsonRows {
  const begin = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? BOM : 0;
  const arrays = rowArrays(bytes, begin);
  let rest = '';
  let from = begin;
  for (const { open, close } of arrays) {
    rest += bytes.toString('utf8', from, open + 1);
    from = close;
  }
  rest += bytes.toString('utf8', from);
  // Of a name that comes twice JSON takes the last.
  const edges = arrays.length === 0 ? [] : edgesOf(bytes, arrays.at(-1)!);
  return {
    rest: JSON.parse(rest),
    length: edges.length === 0 ? 0 : edges.length - 1,
    row: (index) => JSON.parse(bytes.toString('utf8', edges[index]! + 1, edges[index + 1]!)),
  };
}

type Span = { open: number; close: number };

/** Where the arrays named `rows` of the outermost object begin and end. */
function rowArrays(bytes: Buffer, begin: number): Span[] {
  const found: Span[] = [];
  let depth = 0;
  let named = false;
  for (let at = begin; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      const end = endOfText(bytes, at);
      if (depth === 1) named = isRows(bytes, at, end);
      at = end;
    } else if (byte === OPEN_LIST && depth === 1 && named) {
      const close = endOfList(bytes, at);
      found.push({ open: at, close });
      named = false;
      at = close;
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
    else if (byte === COMMA) named = false;
    else if (byte > 0x20 && byte !== COLON) named = false;
  }
  return found;
}

function isRows(bytes: Buffer, from: number, to: number): boolean {
  if (to - from > 40) return false;
  try {
    return JSON.parse(bytes.toString('utf8', from, to + 1)) === 'rows';
  } catch {
    return false;
  }
}

/** The closing quote, or the last byte where there is none. */
function endOfText(bytes: Buffer, open: number): number {
  for (let at = open + 1; at < bytes.length; at += 1) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length - 1;
}

function endOfList(bytes: Buffer, open: number): number {
  let close = bytes.length;
  eachEdge(bytes, open, (at) => {
    close = at;
  });
  return close;
}

/** The brackets and the commas between the elements; none for an empty array. */
function edgesOf(bytes: Buffer, { open, close }: Span): Float64Array {
  const blank = bytes.toString('utf8', open + 1, Math.min(close, open + 1_000)).trim() === '';
  if (blank && close - open < 1_000) return new Float64Array(0);
  let count = 1;
  eachEdge(bytes, open, () => (count += 1));
  const edges = new Float64Array(count);
  edges[0] = open;
  let next = 1;
  eachEdge(bytes, open, (at) => {
    edges[next] = at;
    next += 1;
  });
  return edges;
}

/** Every comma of the array at `open`, and at last its closing bracket, if it has one. */
function eachEdge(bytes: Buffer, open: number, edge: (at: number) => void): void {
  let depth = 0;
  for (let at = open + 1; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfText(bytes, at);
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth -= 1;
      if (depth >= 0) continue;
      edge(at);
      return;
    } else if (byte === COMMA && depth === 0) edge(at);
  }
}
