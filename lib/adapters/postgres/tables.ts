/** Live tables over Postgres: each step is one call of a function in the database. Nothing is decided here. */

import type { TablePorts } from '../../ports/ports.ts';
import { postgresCapture } from './capture/capture.ts';
import type { Roles } from './connection/roles.ts';
import { postgresConverging } from './converging/converging.ts';
import { postgresCopying } from './copying/copying.ts';
import { postgresInspecting } from './inspecting/inspecting.ts';
import { postgresSwapping } from './swapping/swapping.ts';
import { postgresSwitches } from './switches/switches.ts';
import { postgresVerifying } from './verifying/verifying.ts';

export function postgresTables(roles: Roles): TablePorts {
  return {
    capture: postgresCapture(roles),
    switches: postgresSwitches(roles),
    copying: postgresCopying(roles),
    converging: postgresConverging(roles),
    verifying: postgresVerifying(roles),
    swapping: postgresSwapping(roles),
    inspecting: postgresInspecting(roles),
  };
}
