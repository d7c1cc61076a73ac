export { DETACH, type ExecuteOptions, type ExecutionOutcome, type FleetNode } from './fleet-node.ts';
export { openLocalNode, type LocalNodeOptions } from './local-node.ts';

export { openJoinedNode } from './joined-node.ts';
export { openSshNode, type SshNodeOptions } from './ssh-node.ts';
