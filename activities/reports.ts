import type { BlobStore } from '../blobs/blob-store.ts';
import type { TestCounts } from '../contracts/job.ts';
import type { ProjectId } from '../contracts/snapshot.ts';
import type { RecipeVerdict, RecipeVerdictInput, TaskOutcome } from '../contracts/workflow.ts';
import type { Database } from '../db/database.ts';
import { appendEvents } from '../db/events.ts';
import { type CheckOutcome, compareChecks, countDiagnostics } from '../modes/refactoring/verdict.ts';
import { junitXml, quoteFailures, readTestReport, type TestReport } from '../modes/testing/report.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import { activityGroup } from './activity-group.ts';

export interface ReportDeps {
  stores(project: ProjectId): Promise<SnapshotStore>;
  blobs: BlobStore;
  database: Database;
}

/** Quoted failures are for reading; the whole is in the logs and the JUnit report. */
const quoteLimit = 8_000;
const reportFile = /\.xml$/i;
const largestReport = 16 * 1024 * 1024;

/** Reads the logs and report files of steps: numbers, one JUnit report, quotations, verdicts. */
export function createReportActivities({ stores, blobs, database }: ReportDeps) {
  const readLog = async (outcome: TaskOutcome): Promise<string> =>
    outcome.log ? ((await blobs.get(outcome.log))?.toString() ?? '') : '';

  const readReport = async (project: ProjectId | undefined, outcome: TaskOutcome): Promise<TestReport> => {
    const files =
      project && outcome.outputs
        ? await readReportFiles(await stores(project), outcome.outputs)
        : new Map<string, Buffer>();
    const end = outcome.end === 'not-run' || outcome.end === 'error' ? 'cancelled' : outcome.end;
    return readTestReport({
      task: outcome.taskId,
      log: await readLog(outcome),
      exitCode: outcome.exitCode,
      end,
      files,
    });
  };

  const checkOutcome = async (outcome: TaskOutcome): Promise<CheckOutcome | undefined> => {
    if (outcome.kind === 'install' || outcome.kind === 'recipe') return undefined;
    const { taskId: task, kind, succeeded } = outcome;
    const report = kind === 'test' ? await readReport(undefined, outcome) : undefined;
    return {
      task,
      kind,
      succeeded,
      ...(report ? { tests: report.counts } : {}),
      failedTests:
        report?.cases.filter((test) => test.status === 'failed').map((test) => `${test.suite} ${test.name}`.trim()) ??
        [],
      diagnostics: kind === 'test' ? 0 : countDiagnostics(await readLog(outcome)),
    };
  };

  const checkOutcomes = async (outcomes: TaskOutcome[]): Promise<CheckOutcome[]> =>
    (await Promise.all(outcomes.map(checkOutcome))).filter((outcome) => outcome !== undefined);

  return activityGroup({
    async reportTests(input: {
      jobId: string;
      project: ProjectId;
      outcomes: TaskOutcome[];
      /** What agents said of failures that they looked into. */
      explanations: string[];
    }): Promise<{ counts: TestCounts; artifacts: Record<string, string> }> {
      const { jobId, project, outcomes, explanations } = input;
      const reports: TestReport[] = [];
      const logs = new Map<string, string>();
      for (const outcome of outcomes) {
        reports.push(await readReport(project, outcome));
        if (!outcome.succeeded) logs.set(outcome.taskId, await readLog(outcome));
      }
      const junit = await blobs.put(junitXml(reports));
      const quoted = quoteFailures(reports, logs, quoteLimit);
      if (quoted) {
        const key = `test-failures:${junit}`;
        await appendEvents(database, jobId, [
          { key, at: new Date().toISOString(), data: { type: 'note', level: 'error', message: quoted } },
        ]);
      }
      const artifacts: Record<string, string> = { 'junit.xml': junit };
      if (explanations.length > 0) artifacts['failures.md'] = await blobs.put(failuresMarkdown(explanations));
      return { counts: addCounts(reports.map((report) => report.counts)), artifacts };
    },

    /** What failed tasks printed, as far as it says why, in a few thousand characters. */
    async quoteTaskFailures({ project, outcomes }: { project: ProjectId; outcomes: TaskOutcome[] }): Promise<string> {
      const failed = outcomes.filter((outcome) => !outcome.succeeded && outcome.end !== 'not-run');
      const reports: TestReport[] = [];
      const logs = new Map<string, string>();
      const told: string[] = [];
      for (const outcome of failed) {
        const log = await readLog(outcome);
        if (outcome.kind === 'test') {
          reports.push(await readReport(project, outcome));
          logs.set(outcome.taskId, log);
        } else {
          told.push(`${outcome.taskId}: ${outcome.message ?? outcome.end}\n${log.trimEnd().slice(-quoteLimit / 2)}`);
        }
      }
      return [...told, quoteFailures(reports, logs, quoteLimit)]
        .join('\n\n')
        .trim()
        .slice(0, 2 * quoteLimit);
    },

    async compareRecipeChecks({ before, after }: RecipeVerdictInput): Promise<RecipeVerdict> {
      return compareChecks(await checkOutcomes(before), await checkOutcomes(after));
    },

    /** Why a recipe could not be applied, in the words that its program printed. */
    async explainRecipeFailure({ title, outcome }: { title: string; outcome: TaskOutcome }): Promise<string> {
      const printed = (await readLog(outcome)).trim().slice(-1_000);
      return `${title}: not applied: ${printed || `it ended with ${outcome.end}`}`;
    },
  });
}

function failuresMarkdown(explanations: readonly string[]): string {
  const sections = explanations.map((text, index) => `## After run ${index + 1}\n\n${text.trim()}\n`);
  return `# Failures, as the agent that mended them explains them\n\n${sections.join('\n')}`;
}

async function readReportFiles(store: SnapshotStore, outputs: string): Promise<Map<string, Buffer>> {
  const files = (await store.list(outputs)).filter((file) => reportFile.test(file.path) && file.bytes <= largestReport);
  return await store.readMany(
    outputs,
    files.map((file) => file.path),
  );
}

function addCounts(all: TestCounts[]): TestCounts {
  const sum: TestCounts = { total: 0, passed: 0, failed: 0, skipped: 0 };
  for (const counts of all) {
    sum.total += counts.total;
    sum.passed += counts.passed;
    sum.failed += counts.failed;
    sum.skipped += counts.skipped;
  }
  return sum;
}
