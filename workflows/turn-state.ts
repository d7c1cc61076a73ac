import type { Attachment } from '../contracts/attachment.ts';
import type { CallOutcome, PendingCall, PermissionRule, Permissions } from '../contracts/agent.ts';

/** What a user says while the agent works, with the files given along. */
export interface Said {
  text: string;
  attachments: Attachment[];
}

/** What users say to an agent while it works. Plain and without Temporal; every message may come twice, or for a call that is long over. */
export class TurnState {
  permissions: Permissions;
  pending: PendingCall | null = null;
  private readonly outcomes = new Map<string, CallOutcome>();
  private readonly steering: Said[] = [];
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

  /** How often something was said so far. */
  get timesSteered(): number {
    return this.steering.length;
  }

  /** What was said after the first `heard` times; undefined when nothing was. */
  steeringAfter(heard: number): Said | undefined {
    const news = this.steering.slice(heard);
    if (news.length === 0) return undefined;
    return {
      text: news.map((said) => said.text).join('\n\n'),
      attachments: news.flatMap((said) => said.attachments),
    };
  }
}
