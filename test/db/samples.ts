import type { JobEventData } from '../../contracts/event.ts';
import { type JobRequest, type JobResult, jobRequestSchema } from '../../contracts/job.ts';
import type { NodeRecord } from '../../contracts/node.ts';
import type { StepResult } from '../../contracts/step.ts';
import type { Database } from '../../db/database.ts';
import { insertJob } from '../../db/jobs.ts';

let jobs = 0;

/** Records a job and returns its id. */
export async function addJob(database: Database, request: Partial<JobRequest> = {}): Promise<string> {
  const jobId = `job-${String(++jobs).padStart(12, '0')}`;
  const whole = jobRequestSchema.parse({ source: { location: '/projects/sample' }, ...request });
  await insertJob(database, {
    jobId,
    workflowId: jobId,
    project: 'sample',
    request: whole,
    webUrl: `http://127.0.0.1:8233/${jobId}`,
  });
  return jobId;
}

export function note(message: string, key = message): { key: string; at: string; data: JobEventData } {
  return { key, at: new Date().toISOString(), data: { type: 'note', level: 'info', message } };
}

export function resultOf(jobId: string, more: Partial<JobResult> = {}): JobResult {
  return {
    jobId,
    workflowId: jobId,
    status: 'succeeded',
    branch: `helix/${jobId}`,
    patch: null,
    snapshot: '1'.repeat(40),
    checkpoints: [{ id: 'c0', phase: 'source', snapshot: '1'.repeat(40), title: 'Source' }],
    phases: {},
    tests: { total: 3, passed: 3, failed: 0, skipped: 0 },
    steps: { run: 4, cached: 1 },
    durationMs: 1234,
    ...more,
  };
}

export function nodeRecord(name: string, more: Partial<NodeRecord> = {}): NodeRecord {
  return {
    name,
    reach: 'ssh',
    ssh: { host: '192.0.2.1', port: 22, user: 'builder' },
    hostKey: `SHA256:${'A'.repeat(43)}`,
    slots: 2,
    labels: { rack: 'b' },
    facts: {
      os: 'linux',
      arch: 'x64',
      hostname: name,
      cpus: 2,
      memory: 2 ** 32,
      diskFree: 2 ** 33,
      cache: { bytes: 3 * 2 ** 29, limitBytes: 2 ** 32 },
      tools: { git: '2.39.5' },
      gpus: [],
    },
    state: 'healthy',
    since: '2026-01-01T00:00:00.000Z',
    busy: 0,
    probedAt: '2026-01-02T03:04:05.000Z',
    ...more,
  };
}

/** What a step came to that printed seven bytes. */
export const stepResult: StepResult = {
  end: 'exited',
  exitCode: 0,
  snapshot: '1'.repeat(40),
  log: '2'.repeat(64),
  logBytes: 7,
  node: 'n',
  cached: false,
  durationMs: 12,
};
