import type { ChatMessage, ChatUndo } from '../contracts/chat.ts';
import type { Checkpoint, JobStatus, JobView } from '../contracts/job.ts';
import type { ImportedSource } from '../contracts/snapshot.ts';
import type { AgentTurnResult, ChatInput, ChatPoint } from '../contracts/workflow.ts';
import { WrongStateError } from './job-state.ts';

/** Each record of a chat names all its points: more of them would make its history quadratic. */
const mostPoints = 100;
const mostHeard = 200;
const titleLength = 72;

/** The state of one chat, without Temporal: what messages change and what the main logic reads. */
export class ChatState {
  readonly input: ChatInput;
  phase: JobView['phase'] = 'source';
  imported: ImportedSource | null = null;
  final: JobStatus | null = null;
  /** The message that is being answered. */
  current: ChatMessage | null = null;
  points: ChatPoint[] = [];
  heard: string[] = [];
  private readonly waiting: ChatMessage[] = [];

  constructor(input: ChatInput) {
    this.input = input;
    if (!input.soFar) return;
    this.imported = input.soFar.imported;
    this.points = input.soFar.points;
    this.heard = input.soFar.heard;
    this.phase = null;
  }

  /** A chat that waits for its user is paused. */
  get status(): JobStatus {
    if (this.final) return this.final;
    return this.phase === null && !this.current && this.waiting.length === 0 ? 'paused' : 'running';
  }

  get checkpoints(): Checkpoint[] {
    return this.points.map(({ id, phase, snapshot, title }) => ({ id, phase, snapshot, title }));
  }

  /** Where the chat stands. */
  get point(): ChatPoint {
    return this.points.at(-1)!;
  }

  get hasChanged(): boolean {
    return this.imported !== null && this.points.length > 0 && this.point.snapshot !== this.imported.snapshot;
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0;
  }

  hear(message: ChatMessage): void {
    if (this.heard.includes(message.id)) return;
    if (this.final) throw new WrongStateError(`the chat has ended (${this.final}): go on in a fork of it`);
    this.heard = [...this.heard, message.id].slice(-mostHeard);
    this.waiting.push(message);
  }

  take(): ChatMessage | undefined {
    this.current = this.waiting.shift() ?? null;
    return this.current ?? undefined;
  }

  open(imported: ImportedSource): ChatPoint {
    this.imported = imported;
    this.phase = null;
    const title = imported.dirty ? 'Source with uncommitted work' : 'Source';
    return this.record({ phase: 'source', title, snapshot: imported.snapshot, head: null });
  }

  /** What a message led to. A turn that broke leaves files and conversation as they were. */
  answered(message: ChatMessage, result: Pick<AgentTurnResult, 'snapshot' | 'head'> | undefined): ChatPoint {
    this.current = null;
    const { snapshot, head } = this.point;
    return this.record({
      phase: this.input.request.modes[0]!,
      title: message.text.replace(/\s+/g, ' ').trim().slice(0, titleLength),
      snapshot: result?.snapshot ?? snapshot,
      // A turn that was stopped before its first words has no head.
      head: result?.head || head,
    });
  }

  /** Goes back by going on: the earlier state is recorded as the latest. Undefined when the chat stands there already. */
  undo({ checkpointId, what }: ChatUndo): ChatPoint | undefined {
    if (this.final) throw new WrongStateError(`cannot undo: the chat has ended (${this.final})`);
    if (this.current || this.hasWaiting)
      throw new WrongStateError('cannot undo while a message is being answered: stop it first');
    const target = this.at(checkpointId);
    const snapshot = what === 'conversation' ? this.point.snapshot : target.snapshot;
    const head = what === 'code' ? this.point.head : target.head;
    if (snapshot === this.point.snapshot && head === this.point.head) return undefined;
    const title = `Back to ${checkpointId}${what === 'both' ? '' : ` (${what} only)`}`;
    return this.record({
      phase: target.phase === 'source' ? this.input.request.modes[0]! : target.phase,
      title,
      snapshot,
      head,
    });
  }

  at(checkpointId: string): ChatPoint {
    const found = this.points.find(({ id }) => id === checkpointId);
    if (found) return found;
    const known = this.points.map(({ id }) => id).join(', ') || 'none yet';
    throw new WrongStateError(`there is no checkpoint ${checkpointId}; the checkpoints are: ${known}`);
  }

  /** The page shown as "current details" in the Temporal Web UI, in Markdown. */
  describe(): string {
    const { jobId, request } = this.input;
    return [
      `**${jobId}**, a chat on \`${request.source.location}\`, is **${this.status}**`,
      '',
      '| checkpoint | snapshot | |',
      '| --- | --- | --- |',
      ...this.points
        .slice(-50)
        .map(({ id, snapshot, title }) => `| ${id} | \`${snapshot.slice(0, 12)}\` | ${title.replaceAll('|', '\\|')} |`),
    ].join('\n');
  }

  private record(point: Omit<ChatPoint, 'id'>): ChatPoint {
    const number = this.points.length === 0 ? 0 : Number(this.point.id.slice(1)) + 1;
    const recorded = { id: `c${number}`, ...point };
    const [source, ...others] = [...this.points, recorded];
    this.points = [source, ...others.slice(1 - mostPoints)];
    return recorded;
  }
}
