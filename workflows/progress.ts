import { proxyLocalActivities, setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { createRecordActivities } from '../activities/records.ts';
import type { JobEventData } from '../contracts/event.ts';
import type { WorkItemView } from '../contracts/plan.ts';
import type { ProgressRecord } from '../contracts/workflow.ts';
import type { JobState } from './job-state.ts';

/** What is shown of a job or a chat. */
export type ShownState = Pick<JobState, 'input' | 'status' | 'phase' | 'checkpoints' | 'final'> & {
  describe(): string;
  /** Of a job whose plan has some. */
  items?: readonly WorkItemView[];
};

const { recordProgress } = proxyLocalActivities<ReturnType<typeof createRecordActivities>>({
  startToCloseTimeout: '10s',
  // A database that is away holds the job back and never fails it: records are written before the job goes on.
  retry: { initialInterval: '200ms', maximumInterval: '5s' },
});

const phaseAttribute = defineSearchAttributeKey('HelixPhase', SearchAttributeType.KEYWORD);

/** Makes a job's state visible: in the records, in its event log and in the Temporal Web UI. */
export class Progress {
  private eventsSaid = 0;
  private postponed: JobEventData[] = [];
  private phaseShown: string | null = null;
  private written: Promise<void> = Promise.resolve();
  private readonly state: ShownState;

  constructor(state: ShownState) {
    this.state = state;
  }

  /** Records events and the state as it is now, after the events that were left for later. */
  async say(...events: JobEventData[]): Promise<void> {
    await this.inTurn(() => this.write(events, {}));
  }

  /** Leaves events for the next `say`, where that is about to come: each record is a write that the job waits for. */
  later(...events: JobEventData[]): void {
    this.postponed.push(...events);
  }

  /** Records what was left for later, before the job waits for something. */
  async flush(): Promise<void> {
    if (this.postponed.length > 0) await this.say();
  }

  async finish(event: Extract<JobEventData, { type: 'job.finished' }>): Promise<void> {
    await this.inTurn(() => this.write([event], { result: event.result }));
  }

  /**
   * Messages and the main logic speak at the same time. One after the other, so that events keep their order, and because two local activities
   * under way beside an update were seen to end in another order when the workflow was replayed.
   */
  private inTurn(write: () => Promise<void>): Promise<void> {
    const turn = this.written.then(write);
    this.written = turn.catch(() => undefined);
    return turn;
  }

  private async write(said: JobEventData[], patch: Pick<ProgressRecord['patch'], 'result'>): Promise<void> {
    const { workflowId, runId } = workflowInfo();
    const events = [...this.postponed, ...said];
    this.postponed = [];
    const { state } = this;
    const phase = state.final ? 'ended' : (state.phase ?? 'source');
    setCurrentDetails(state.describe());
    if (phase !== this.phaseShown) {
      upsertSearchAttributes([{ key: phaseAttribute, value: phase }]);
      this.phaseShown = phase;
    }
    const summary = events.map((event) => event.type).join(', ') || `status ${state.status}`;
    const record: ProgressRecord = {
      job: { ...state.input, workflowId },
      events: events.map((data) => ({ key: `${runId}:${this.eventsSaid++}`, at: new Date().toISOString(), data })),
      patch: {
        status: state.status,
        phase: state.final ? null : state.phase,
        checkpoints: [...state.checkpoints],
        ...(state.items?.length ? { items: [...state.items] } : {}),
        ...patch,
      },
    };
    await recordProgress.executeWithOptions({ summary }, [record]);
  }
}
