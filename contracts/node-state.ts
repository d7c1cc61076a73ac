import type { NodeCondition, NodeHold, NodeQuarantine, NodeState } from './node.ts';

/** Everything that decides whether a node gets steps. */
export interface NodeStanding {
  condition: NodeCondition;
  hold?: NodeHold | undefined;
  quarantine?: NodeQuarantine | undefined;
}

/** The most serious of what holds for a node, with the reasons of all of it. */
export function overallState({ condition, hold, quarantine }: NodeStanding): { state: NodeState; reason?: string } {
  const holding: { state: NodeState; reason: string }[] = [];
  if (condition.state === 'unreachable') holding.push({ state: 'unreachable', reason: condition.reason ?? '' });
  if (quarantine) holding.push({ state: 'quarantined', reason: quarantine.reasons.join(', ') });
  if (hold) holding.push({ state: hold.kind, reason: hold.reason });
  if (condition.state === 'degraded') holding.push({ state: 'degraded', reason: condition.reason ?? '' });
  const [first, ...others] = holding;
  if (!first) return { state: 'healthy' };
  const also = others.map(({ state, reason }) => `also ${state}${reason && `: ${reason}`}`);
  const reason = [first.reason, ...also].filter(Boolean).join('; ');
  return { state: first.state, ...(reason ? { reason } : {}) };
}
