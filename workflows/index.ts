export { devJob } from './dev-job.ts';
export { chat } from './chat.ts';
export { planning } from './planning.ts';
export { building } from './building.ts';
export { testing } from './testing.ts';
export { refactoring } from './refactoring.ts';
export { agentTurn } from './agent-turn.ts';
export { rollbackFinishedJob } from './rollback.ts';
export { registerNode, probeNode, removeNode } from './nodes.ts';
