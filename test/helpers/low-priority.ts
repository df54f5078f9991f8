/**
 * Setup of a project that runs beside servers under load: it takes only the time that they leave.
 * Its workers keep the priority for the rest of their lives, as do the processes they start.
 */

import { spawnSync } from 'node:child_process';
import { constants, setPriority } from 'node:os';

setPriority(constants.priority.PRIORITY_LOW);
// Of Linux: who idles gives way at once, and not only when a slice of time is over. Without it the low priority has to do.
spawnSync('chrt', ['--all-tasks', '--idle', '--pid', '0', String(process.pid)], { stdio: 'ignore' });
