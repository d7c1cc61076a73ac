import type { Attachment } from '../contracts/attachment.ts';
import type { CallOutcome, PendingCall, PermissionRule, Permissions } from '../contracts/agent.ts';

/** What a user says while the agent works, with the files given along. */
interface Said {
  text: string;
  attachments: Attachment[];
}

/** What users say to an agent while it works. Plain and without Temporal; every message may come twice, or for a call that is long over. */
export class TurnState {
  permissions: Permissions;
  pending: PendingCall | null = null;
  private readonly outcomes = new Map<string, CallOutcome>();
  private steering: Said[] = [];
  /** What was allowed from now on. */
  readonly allowed: PermissionRule[] = [];

  constructor(permissions: Permissions) {
    this.permissions = permissions;
  }

  /** The first decision on a call is final. With `always`, what fits the rule is not asked for again in this turn. */
  decide(callId: string, allowed: boolean, reason?: string, always?: PermissionRule): void {
    const key = `approval ${callId}`;
    if (this.outcomes.has(key)) return;
    this.outcomes.set(key, { callId, type: 'approval', allowed, ...(reason ? { reason } : {}) });
    if (!always) return;
    const rule: PermissionRule = { ...always, decision: 'allow' };
    this.allowed.push(rule);
    this.permissions = { ...this.permissions, rules: [...this.permissions.rules, rule] };
  }

  answer(callId: string, answer: string): void {
    const key = `question ${callId}`;
    if (!this.outcomes.has(key)) this.outcomes.set(key, { callId, type: 'question', answer });
  }

  /** One call may wait for both, one after the other. */
  outcomeOf(type: 'approval' | 'question', callId: string): CallOutcome | undefined {
    return this.outcomes.get(`${type} ${callId}`);
  }

  steer(text: string, attachments: Attachment[] = []): void {
    this.steering.push({ text, attachments });
  }

  hasSteering(): boolean {
    return this.steering.length > 0;
  }

  /** What was said since the last time; undefined when nothing was. */
  takeSteering(): Said | undefined {
    if (this.steering.length === 0) return undefined;
    const text = this.steering.map((said) => said.text).join('\n\n');
    const attachments = this.steering.flatMap((said) => said.attachments);
    this.steering = [];
    return { text, attachments };
  }
}
