/** What `crossfade --help` says below the list of commands. */

export const EXAMPLES = `
Examples:
  crossfade preview customer                           what would happen to the table
  crossfade start customer                             begin; the ticks go on by themselves
  crossfade status customer --watch                    until it is completed or rolled back
  crossfade rollback customer --reason 'slow pages'    back, from any stage before cleanup
  crossfade complete customer --confirm customer       the new table takes over

Exit codes: 0 done, 1 other, 2 usage, 3 held, 4 rolled back, 5 conflict.
Environment: CROSSFADE_URL, CROSSFADE_TOKEN, CROSSFADE_PORT, CROSSFADE_OWNER_DATABASE_URL, NO_COLOR.`;
