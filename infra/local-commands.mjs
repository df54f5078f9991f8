/** Commands that are no part of the CLI: they start the local stack. */

export const LOCAL = new Set(['dev', 'rehearse']);
