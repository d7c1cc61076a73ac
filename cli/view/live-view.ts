import type { WriteStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import type { JobEvent } from '../../contracts/event.ts';
import type { JobResult, JobView } from '../../contracts/job.ts';
import type { UsageTotal } from '../../contracts/usage.ts';
import { cleanLine } from '../text/clean.ts';
import { formatDuration } from '../text/duration.ts';
import { style } from '../text/style.ts';
import { describeEvent } from './describe-event.ts';
import { JobProgress } from './job-progress.ts';
import { describeResult } from './summary.ts';
import { type View } from './view.ts';

const redrawMs = 120;
/** Shown of the answers that are coming, all together. */
const wordsLines = 4;
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** Events that are said by the redrawn part, and need no line of their own while they are true. */
const transient = new Set(['step.waiting', 'step.started', 'phase.started', 'checkpoint.recorded']);

/** What happened scrolls by above; what runs now, on which node and for how long, is redrawn below it. */
export class LiveView implements View {
  readonly #stream: WriteStream;
  readonly #progress = new JobProgress();
  #drawnLines = 0;
  #frame = 0;
  #awayMs: number | null = null;
  readonly #words = new Map<string, { title: string; text: string }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: WriteStream) {
    this.#stream = stream;
    this.#stream.write('\x1b[?25l');
    this.#resume();
  }

  event(event: JobEvent): void {
    this.#awayMs = null;
    if (event.data.type === 'model.asked') this.#words.set(event.data.callId, { title: event.data.title, text: '' });
    if (event.data.type === 'model.answered') this.#words.delete(event.data.callId);
    if (event.data.type === 'job.finished') this.#words.clear();
    this.#progress.apply(event);
    if (!transient.has(event.data.type)) {
      const text = describeEvent(event);
      if (text !== undefined) this.#replace(`${text}\n`, 0);
    }
    this.#resume();
  }

  words(callId: string, text: string): void {
    const known = this.#words.get(callId);
    // What comes after its end is told by then.
    if (known) known.text = text;
  }

  away(awayMs: number): void {
    this.#awayMs = awayMs;
  }

  suspend(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#replace('\x1b[?25h', 0);
  }

  summary(job: JobView, result: JobResult, usage?: UsageTotal): void {
    this.suspend();
    this.#stream.write(describeResult(job, result, usage));
  }

  close(): void {
    this.suspend();
  }

  #resume(): void {
    if (this.#timer) return;
    this.#stream.write('\x1b[?25l');
    this.#timer = setInterval(() => this.#draw(), redrawMs);
  }

  #draw(): void {
    const lines = this.#lines().map((line) => this.#fit(line));
    this.#replace(lines.map((line) => `${line}\n`).join(''), lines.length);
  }

  /** Writes over what was drawn last. In one write, so that nothing flickers. */
  #replace(text: string, lines: number): void {
    const back = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A\r\x1b[0J` : '';
    this.#stream.write(back + text);
    this.#drawnLines = lines;
  }

  #lines(): string[] {
    const { running, waiting, held, stepsRun, stepsCached, startedAt } = this.#progress;
    const now = Date.now();
    const mark = spinner[this.#frame++ % spinner.length]!;
    const phase = [...this.#progress.phases].find(([, { result }]) => result === null)?.[0];
    const state = held ?? phase ?? (this.#progress.phases.size === 0 ? 'starting' : 'finishing');
    const elapsed = startedAt === null ? '' : ` · ${formatDuration(now - startedAt)}`;
    const lines = [
      `${style('cyan', mark)} ${style('bold', state)} · ${stepsRun} steps run, ${stepsCached} from the cache${elapsed}`,
    ];
    for (const { id, title, state } of this.#progress.items.values()) {
      if (state === 'running' || state === 'resolving' || state === 'redoing')
        lines.push(`  item ${id}: ${cleanLine(title)} ${style('dim', state)}`);
    }
    for (const step of running.values()) {
      lines.push(
        `  ${cleanLine(step.title)} ${style('dim', `on ${step.node} for ${formatDuration(Math.max(0, now - step.startedAt))}`)}`,
      );
    }
    for (const step of waiting.values()) {
      lines.push(`  ${cleanLine(step.title)} ${style('yellow', `waiting for a node with ${step.class}`)}`);
    }
    lines.push(...this.#wordLines());
    const room = Math.max(3, (this.#stream.rows || 24) - 4);
    const shown =
      lines.length > room
        ? [...lines.slice(0, room - 1), style('dim', `  and ${lines.length - room + 1} more`)]
        : lines;
    if (this.#awayMs !== null) {
      shown.push(
        style('yellow', `  the API has been away for ${formatDuration(this.#awayMs)}; the job goes on, trying again`),
      );
    }
    return shown;
  }

  /** The last lines of what is being said; of several at once, each under its name. */
  #wordLines(): string[] {
    const each = Math.max(1, Math.floor(wordsLines / Math.max(1, this.#words.size)));
    const prefix = (title: string): string => (this.#words.size > 1 ? `${cleanLine(title)}: ` : '');
    return [...this.#words.values()].flatMap(({ title, text }) =>
      text
        .trimEnd()
        .split('\n')
        .slice(-each)
        .filter((line) => line !== '')
        .map((line) => style('dim', `  ${prefix(title)}${cleanLine(line)}`)),
    );
  }

  /**
   * A line that wraps would break the count of lines to go back. Colours are given up before text. A terminal that does not
   * know its size says 0.
   */
  #fit(line: string): string {
    const columns = (this.#stream.columns || 80) - 1;
    const visible = stripVTControlCharacters(line);
    return visible.length <= columns ? line : `${visible.slice(0, columns - 1)}…`;
  }
}
