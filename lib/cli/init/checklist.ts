/** What is left for a person after `crossfade init`: what to decide, what to do in which order, what to know. Pure. */

import type { Draft } from '../../adapters/postgres/drafting/drafting.ts';
import { SAID_OF_ALL } from '../../core/table/promotion/habits.ts';
import { field, type Paint, printable } from '../text.ts';

export type Checklist = {
  /** The cutover cannot start before these are settled. */
  decide: readonly string[];
  steps: readonly { text: string; commands: readonly string[] }[];
  know: readonly { kind: string; text: string }[];
};

type Written = { ddl: string; configuration: string | null };

/** @param written files; no configuration where one was there already */
export function checklist(id: string, { items, decisions }: Draft, { ddl, configuration }: Written): Checklist {
  const refused = items.filter(({ action }) => action === 'refuse');
  const noticed = items.filter(
    ({ action, kind }) => action === 'notice' || (kind === 'foreign key' && action !== 'refuse'),
  );
  const crossfade = 'npx --no-install crossfade';
  return {
    decide: [...refused.map(({ object, text }) => `${object}: ${text}`), ...decisions],
    steps: [
      ...(configuration === null ? [{ text: 'Add the entry to your configuration.', commands: [] }] : []),
      {
        text: `Read ${ddl} and run it as the owner of the table, on a copy of the database first.`,
        commands: [`psql "$DATABASE_URL" -v ON_ERROR_STOP=1 --single-transaction -f ${ddl}`],
      },
      {
        text: 'Rehearse its whole life on a copy that the command makes and drops again; its report says what to do.',
        commands: [`${crossfade} rehearse ${id} --database-url "$DATABASE_URL"`],
      },
      {
        text: 'Serve the database and the configuration on this machine, and leave this terminal open.',
        commands: [`${crossfade} dev --database-url "$DATABASE_URL"`],
      },
      {
        text: 'Ask what would be carried, rebuilt or refused, and look for what spoils a migration.',
        commands: [`${crossfade} preview ${id}`, `${crossfade} health ${id}`],
      },
      {
        text: `Have the application read through client.read('${id}', …); .crossfade/env has what it needs in its environment.`,
        commands: [],
      },
      { text: 'Begin.', commands: [`${crossfade} start ${id}`] },
    ],
    know: noticed
      .filter(({ kind }) => !SAID_OF_ALL.has(kind))
      .map(({ kind, object, text }) => ({ kind, text: `${object}: ${text}` })),
  };
}

export function renderChecklist({ decide, steps, know }: Checklist, width: number, paint: Paint): string[] {
  return [
    ...(decide.length === 0
      ? []
      : [
          '',
          paint('bad', 'To decide: it cannot start before'),
          ...decide.flatMap((text) => marked('[ ]', text, width)),
        ]),
    '',
    'To do',
    ...steps.flatMap(({ text, commands }, index) => [
      ...marked(`${index + 1}.`, text, width),
      ...commands.map((command) => `      ${command}`),
    ]),
    ...(know.length === 0
      ? []
      : [
          '',
          paint('warn', 'To know'),
          ...know.flatMap(({ kind, text }) => field(printable(kind), printable(text), width, 20)),
        ]),
  ];
}

const marked = (mark: string, text: string, width: number) => field(mark, printable(text), width, 4);
