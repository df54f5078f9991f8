/** Migrations by the comments at their heads, and the objects of the schema by their COMMENT ON. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, table } from './markdown.ts';
import { type Head, MIGRATION_HEADS } from './meanings.ts';

const NO_HEAD: Head = { why: '', lock: '', duration: '', undo: '' };

/** What a file says of itself in the comment that it begins with; drawings are left out. */
export function headOf(sql: string): Head {
  const lines = sql.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('--'));
  const text = lines
    .slice(0, end)
    .map((line) => line.slice(2))
    .filter((line) => line.trim() !== '' && !line.startsWith('   '))
    .map((line) => line.trim())
    .join(' ');
  const parts = text.split(/(?:^|\s)(Why|Lock|Duration|Undo): /).slice(1);
  const found: Head = { ...NO_HEAD };
  for (let i = 0; i < parts.length; i += 2) found[parts[i]!.toLowerCase() as keyof Head] = parts[i + 1]!.trim();
  return found;
}

/** Released files are never edited: what a head leaves out is completed here. */
export function completeHead(name: string, sql: string): Head {
  const more = MIGRATION_HEADS[name] ?? {};
  const head = { ...headOf(sql), ...more };
  const missing = Object.entries(head).flatMap(([part, text]) => (text === '' ? [part] : []));
  if (missing.length > 0) throw new Error(`The head of ${name} does not say: ${missing.join(', ')}.`);
  return head;
}

export function migrationTable(root: string): string {
  const folder = join(root, 'migrations');
  const files = readdirSync(folder).filter((file) => file.endsWith('.sql'));
  const rows = files.sort().map((file) => {
    const { why, lock, duration, undo } = completeHead(file, readFileSync(join(folder, file), 'utf8'));
    return [`[${file.slice(0, 4)}](${file})`, why, lock, duration, undo];
  });
  return table(['file', 'why', 'lock', 'duration', 'undo'], rows);
}

// ---------------------------------------------------------------------------------------------------------- objects

const HEAD = /^(table|view|sequence|function) crossfade\.(\w+)/;

/** From the snapshot of the schema, which a test compares with what the migrations make. */
export function sqlObjectTable(root: string): string {
  const entries = readFileSync(join(root, 'test/fixtures/schema.txt'), 'utf8').split(/\n\n(?=\S)/);
  const rows = entries.flatMap((entry) => {
    const head = HEAD.exec(entry);
    const comment = /^ {2}comment (.*)$/m.exec(entry)?.[1];
    return head && comment ? [[head[1]!, code(head[2]!), comment]] : [];
  });
  const order = ['view', 'table', 'sequence', 'function'];
  return table(
    ['kind', 'name', 'what it says of itself'],
    rows.sort((a, b) => order.indexOf(a[0]!) - order.indexOf(b[0]!)),
  );
}
