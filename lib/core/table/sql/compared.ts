/** What is compared of a row on either side, and in which form. */

import { type ColumnShape, columnOf, quoteName } from '../shape.ts';
import { type Flow, whenAKeyFails } from './names.ts';

/** What is compared of a row of the source, `p`, in the order of `mapping.compared`. */
export const comparedSources = (flow: Flow): string[] =>
  flow.mapping.compared.map(({ sql, form }) => form?.source ?? sql);

/** The same of a row of the target, `t`, as the type under its domain. */
export function comparedTargets(flow: Flow): string[] {
  return flow.mapping.compared.map(({ target, form }) => {
    const { base } = columnOf(flow.target, target)!;
    return form?.target ?? (base ? `(t.${quoteName(target)})::${base}` : `t.${quoteName(target)}`);
  });
}

/** What these values are of. */
export const comparedColumns = (flow: Flow): ColumnShape[] =>
  flow.mapping.compared.map(({ target, form }) => form?.column ?? columnOf(flow.target, target)!);

/** Without forms: a value that somebody else wrote into the target may have none, and no such cast is made of it. */
export const plainly = (flow: Flow): Flow => ({
  ...flow,
  mapping: { ...flow.mapping, compared: flow.mapping.compared.map(({ form: _, ...plain }) => plain) },
});

export const hasForms = ({ mapping }: Flow): boolean => mapping.compared.some(({ form }) => form !== undefined);

/** Statements that compare, and again without forms when one of them fails. */
export const inForm = (flow: Flow, make: (flow: Flow) => string): string =>
  hasForms(flow)
    ? `BEGIN
      ${make(flow)}
    EXCEPTION ${whenAKeyFails()} THEN
      ${make(plainly(flow))}
    END;`
    : make(flow);
