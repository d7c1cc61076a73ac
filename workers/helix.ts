import { startApi } from './api.ts';
import { startIntegrations } from './integrations.ts';
import { startNodePool } from './node-pool.ts';
import { startOrchestrator } from './orchestrator.ts';
import { runRoles } from './support/role.ts';

// All roles in one process. The API comes last: its health endpoint says that the others are there.
await runRoles('helix', [startOrchestrator, startIntegrations, startNodePool], [startApi]);
