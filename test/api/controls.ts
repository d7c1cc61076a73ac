import { HelixError } from '../../contracts/error.ts';
import type { AgentMessage } from '../../contracts/agent.ts';
import { type JobRequest } from '../../contracts/job.ts';
import type { NodeHold } from '../../contracts/node.ts';
import type { ChatControl, JobControl, LocalModelControl, ModelControl, Needs, NodeControl } from '../../api/deps.ts';
import type { Database } from '../../db/database.ts';
import { changeStanding, getNode, insertNode, removeNode } from '../../db/nodes.ts';
import { addJob, nodeRecord } from '../db/samples.ts';

/** Keeps what was asked of it, and records jobs as running; nothing is carried out. */
export class RecordedJobs implements JobControl {
  readonly requests: JobRequest[] = [];
  readonly needs: Needs[] = [];
  readonly messages: string[] = [];
  /** Called with each message, for a test to play the job's part. */
  onMessage: (jobId: string, message: string) => Promise<void> = async () => {};
  /** Called with each job started. */
  onStart: (jobId: string, request: JobRequest) => Promise<void> = async () => {};
  readonly #database: Database;
  readonly #byKey = new Map<string, string>();

  constructor(database: Database) {
    this.#database = database;
  }

  async start(request: JobRequest, needs: Needs = {}) {
    const key = request.idempotencyKey;
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known) return { jobId: known, workflowId: known, created: false };
    this.requests.push(request);
    this.needs.push(needs);
    const jobId = await addJob(this.#database, request);
    if (key !== undefined) this.#byKey.set(key, jobId);
    await this.onStart(jobId, request);
    return { jobId, workflowId: jobId, created: true };
  }

  approve = (jobId: string) => this.#take(jobId, 'approve');
  reject = (jobId: string, reason?: string) => this.#take(jobId, `reject ${reason ?? ''}`.trim());
  pause = (jobId: string) => this.#take(jobId, 'pause');
  resume = (jobId: string) => this.#take(jobId, 'resume');
  cancel = (jobId: string) => this.#take(jobId, 'cancel');

  async rollback(jobId: string, checkpointId: string) {
    if (checkpointId === 'c99') throw new HelixError('checkpoint.not-found', `job ${jobId} has no checkpoint c99`);
    await this.#take(jobId, `rollback ${checkpointId}`);
  }

  tellAgent = (jobId: string, message: AgentMessage) => this.#take(jobId, `agent ${JSON.stringify(message)}`);

  async #take(jobId: string, message: string): Promise<void> {
    this.messages.push(`${jobId} ${message}`);
    await this.onMessage(jobId, message);
  }
}

/** One provider with one model, which says back what it is asked. */
export const echoingModels: ModelControl = {
  list: () =>
    Promise.resolve({ default: 'echo/one', providers: [{ name: 'echo', configured: true, models: [echoModel] }] }),
  async *test({ model, prompt }) {
    if (model !== 'echo/one') throw new HelixError('llm.model-not-found', `there is no model ${model}`);
    yield { type: 'text', text: prompt };
    const usage = { input: 3, output: 2, thinking: 0, cacheRead: 0, cacheWrite: 0 };
    yield { type: 'finish', model, stopReason: 'end', usage, usd: 0.0012, firstTokenMs: 5, durationMs: 9 };
  },
  async *login({ provider }) {
    yield { type: 'done', provider };
  },
};

/** An empty store, into which nothing can be pulled. */
export const noLocalModels: LocalModelControl = {
  list: () => Promise.resolve({ models: [], ollama: [] }),
  recommend: () => Promise.resolve({ machines: [], models: [] }),
  async *pull(source) {
    yield { type: 'error', code: 'llm.model-not-found', message: `there is no ${source}` };
  },
  remove: (name) => Promise.reject(new HelixError('llm.model-not-found', `there is no ${name}`)),
  info: (name) => Promise.reject(new HelixError('llm.model-not-found', `there is no ${name}`)),
};

const echoModel = {
  provider: 'echo',
  id: 'one',
  contextTokens: 1000,
  tools: true,
  vision: false,
  thinking: false,
  structuredOutput: false,
  promptCache: false,
  price: { input: 1, output: 2 },
};

/** Keeps nothing and has changed nothing. */
export const silentChats: ChatControl = {
  say: () => Promise.resolve(),
  undo: () => Promise.resolve(),
  publish: () => Promise.resolve(null),
  patch: () => Promise.resolve(null),
  fork: (jobId) => Promise.resolve({ jobId, workflowId: jobId, created: false }),
};

/** Puts nodes on record without connecting to them. */
export function recordedNodes(database: Database): NodeControl {
  const hold = async (name: string, what: NodeHold | null): Promise<void> => {
    const record = await changeStanding(database, name, { hold: what });
    if (!record) throw new HelixError('node.not-found', `there is no node "${name}"`);
  };
  return {
    async add({ name, ssh, hostKey, slots, labels }) {
      if (await getNode(database, name)) throw new HelixError('node.name-taken', `there is a node "${name}" already`);
      if (hostKey.kind === 'fingerprint')
        throw new HelixError('node.host-key', `the host key of ${ssh.host} is another one`);
      const node = nodeRecord(name, { ssh, labels, slots: slots ?? 2 });
      await insertNode(database, node);
      return (await getNode(database, name))!;
    },
    async probe(name) {
      const node = await getNode(database, name);
      if (!node) throw new HelixError('node.not-found', `there is no node "${name}"`);
      return node;
    },
    async remove(name, { purge }) {
      if (!(await removeNode(database, name))) throw new HelixError('node.not-found', `there is no node "${name}"`);
      return { left: purge ? ['of-somebody-else'] : [] };
    },
    cordon: (name, reason) => hold(name, { kind: 'cordoned', reason }),
    uncordon: (name) => hold(name, null),
    drain: (name, { reason }) => hold(name, { kind: 'draining', reason }),
    retire: (name, { reason }) => hold(name, { kind: 'draining', reason }),
  };
}
