/**
 * Setup of a project that runs beside servers under load: it takes only the time that they leave.
 * Its workers keep the priority for the rest of their lives, as do the processes they start.
 */

import { constants, setPriority } from 'node:os';

setPriority(constants.priority.PRIORITY_LOW);
