import { Context } from '@temporalio/activity';
import { answerCalls } from '../agent/answer-calls.ts';
import { readInstructions } from '../agent/instructions.ts';
import { systemPrompt } from '../agent/prompt.ts';
import type { ToolRegistry } from '../agent/tools/registry.ts';
import { addUserText } from '../agent/user-message.ts';
import type { BlobStore } from '../blobs/blob-store.ts';
import type { Attachment } from '../contracts/attachment.ts';
import { canonicalCapabilityClass } from '../contracts/capability-class.ts';
import type { ToolsOutput } from '../contracts/agent.ts';
import type { JobEventData } from '../contracts/event.ts';
import { type Plan, planSchema } from '../contracts/plan.ts';
import type { ProjectId, SnapshotId } from '../contracts/snapshot.ts';
import type {
  AgentSpec,
  CommandSettings,
  OpenedTurn,
  OpenedWork,
  OpenTurnInput,
  OpenWorkInput,
  ToolsCallInput,
} from '../contracts/workflow.ts';
import { demandClass } from '../db/classes.ts';
import type { Database } from '../db/database.ts';
import { appendEvents } from '../db/events.ts';
import { createRepositoryMapper, type RepositoryMapper } from '../llm/context/repository-map/repository-map.ts';
import type { SymbolStore } from '../llm/context/repository-map/symbol-cache.ts';
import { TokenEstimator } from '../llm/context/tokens.ts';
import { modelInfo } from '../llm/models/catalog.ts';
import { parseModelName } from '../llm/routing/model-name.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { workPrompt } from '../workflows/agent-prompts.ts';
import { activityGroup } from './activity-group.ts';

export interface AgentDeps {
  stores(project: ProjectId): Promise<SnapshotStore>;
  blobs: BlobStore;
  database: Database;
  tools: ToolRegistry;
  /** Where the definitions found in a project's files are kept. */
  symbols(project: ProjectId): SymbolStore;
}

/** Long enough for a file written whole, short enough that a budget is not held up by it. */
const answerTokens = 16_000;
const mapTokens = 6_000;
/** For commands before anything is planned: every machine has git. */
const plainClass = 'git';

/** What an agent's turn needs beside the model: its beginning, its tools, and what users say to it. */
export function createAgentActivities({ stores, blobs, database, tools: registry, symbols }: AgentDeps) {
  const mappers = new Map<ProjectId, RepositoryMapper>();
  /** The repository at a glance; empty for one that needs no map. */
  const mapOf = async (
    project: ProjectId,
    store: SnapshotStore,
    snapshot: SnapshotId,
    model: string,
    text: string,
  ): Promise<string> => {
    const mapper = mappers.get(project) ?? createRepositoryMapper(symbols(project));
    mappers.set(project, mapper);
    const reader = {
      list: () => store.list(snapshot),
      readMany: (paths: string[]) => store.readMany(snapshot, paths),
    };
    const map = await mapper.map(reader, { tokens: mapTokens, estimator: new TokenEstimator(model), text });
    return map.text && `The repository's files with their most important definitions:\n\n${map.text}`;
  };

  return activityGroup({
    /** Puts the prompt into the conversation and makes what stays the same for all calls of the turn. */
    async openTurn(input: OpenTurnInput): Promise<OpenedTurn> {
      const { job, head, prompt, attachments, snapshot, tools, permissions } = input;
      const store = await stores(job.project);
      const name = parseModelName(input.model);
      const plan = await readPlan(blobs, input.plan);
      const system = systemPrompt({
        permissions,
        tools,
        instructions: await readInstructions(store, snapshot),
        environment: plan ? describeProject(plan) : [],
      });
      const spec: AgentSpec = { system, tools, maxTokens: answerTokens };
      const commands = await commandSettings(blobs, plan);
      await demandClass(database, commands.class);
      // In the first message and not in the instructions: those stay the same while the files change.
      const map = head === null ? await mapOf(job.project, store, snapshot, input.model, prompt) : '';
      return {
        spec: await blobs.put(JSON.stringify(spec)),
        head: await addUserText(blobs, head, snapshot, map ? `${prompt}\n\n${map}` : prompt, attachments),
        commands,
        modelThinks: modelInfo(name.provider, name.model)?.thinking === true,
      };
    },

    /**
     * The work items of a plan, and the beginning of the conversations in which each is carried out: the goal, the plan and the repository at a glance. It
     * is the same for all of them, so that providers read it from their caches. No items: `head` is null.
     */
    async openWork(input: OpenWorkInput): Promise<OpenedWork> {
      const { job, snapshot, model } = input;
      const { approach = '', items = [] } = (await readPlan(blobs, input.plan)) ?? {};
      if (items.length === 0) return { items, head: null };
      const prompt = workPrompt(job.request.goal, approach, items);
      const map = await mapOf(job.project, await stores(job.project), snapshot, model, prompt);
      const text = map ? `${prompt}\n\n${map}` : prompt;
      return { items, head: await addUserText(blobs, null, snapshot, text, job.request.attachments) };
    },

    async addUserMessage(input: {
      head: string;
      snapshot: SnapshotId;
      text: string;
      attachments?: Attachment[];
    }): Promise<string> {
      return await addUserText(blobs, input.head, input.snapshot, input.text, input.attachments);
    },

    /** Answers the tool calls of the last message as far as it goes without anyone else, and says in the job's log what was done. */
    async answerToolCalls(input: ToolsCallInput): Promise<ToolsOutput> {
      const { job, title, testCommand, commit, ...call } = input;
      const store = await stores(job.project);
      const { location } = job.request.source;
      const at = new Date().toISOString();
      const output = await answerCalls(
        {
          store,
          blobs,
          registry,
          at,
          source: location.startsWith('/') ? { location, commit } : null,
          testCommand,
        },
        call,
      );
      if (output.done) {
        const turn = Context.current().info.workflowExecution?.workflowId ?? '';
        await appendEvents(
          database,
          job.jobId,
          output.calls.map(({ callId, tool, summary, isError }) => ({
            key: `${output.head}:${callId}`,
            at,
            data: { type: 'tool.called', turn, title, tool, summary: summary.slice(0, 500), isError } as const,
          })),
        );
      }
      return output;
    },

    async sayInJob(event: { jobId: string; key: string; at: string; data: JobEventData }): Promise<void> {
      const { jobId, ...rest } = event;
      await appendEvents(database, jobId, [rest]);
    },
  });
}

async function readPlan(blobs: BlobStore, hash: string | undefined): Promise<Plan | undefined> {
  const content = hash === undefined ? undefined : await blobs.get(hash);
  return content && planSchema.parse(JSON.parse(content.toString()));
}

/** What the plan's own tasks need, an agent's commands need too. */
async function commandSettings(blobs: BlobStore, plan: Plan | undefined): Promise<CommandSettings> {
  if (!plan) return { layers: [], tools: [], class: plainClass };
  const { tasks } = plan;
  const layers = new Set(tasks.flatMap((task) => task.layers).map((layer) => JSON.stringify(layer)));
  const tests = tasks.filter((task) => task.kind === 'test');
  const classes = tasks.map((task) => task.class);
  return {
    layers: await Promise.all([...layers].map((layer) => blobs.put(layer))),
    tools: [...new Set(tasks.flatMap((task) => task.tools))],
    class: canonicalCapabilityClass(classes.length > 0 ? classes.join(' && ') : plainClass),
    ...(tests.length === 1 ? { testCommand: tests[0]!.command } : {}),
  };
}

const mostPackagesNamed = 30;
const mostCommandsNamed = 20;

function describeProject(plan: Plan): string[] {
  const languages = plan.languages.map(({ name }) => name).slice(0, 5);
  const packages = plan.packages.slice(0, mostPackagesNamed).map(({ name, path }) => `${name} (${path})`);
  const commands = plan.tasks
    .filter((task) => task.kind !== 'install')
    .slice(0, mostCommandsNamed)
    .map(({ command, kind }) => `${kind}: \`${command.shell}\`${command.cwd === '.' ? '' : ` in ${command.cwd}`}`);
  return [
    `The project has ${plan.files} files${languages.length > 0 ? `, mostly ${languages.join(', ')}` : ''}.`,
    ...(packages.length > 0 ? [`Packages: ${packages.join(', ')}.`] : []),
    ...commands,
  ];
}
