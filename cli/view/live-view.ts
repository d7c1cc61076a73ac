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
const wordsLines = 3;
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
  #words = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: WriteStream) {
    this.#stream = stream;
    this.#stream.write('\x1b[?25l');
    this.#resume();
  }

  event(event: JobEvent): void {
    this.#awayMs = null;
    if (event.data.type === 'model.answered') this.#words = '';
    this.#progress.apply(event);
    if (!transient.has(event.data.type)) {
      const text = describeEvent(event);
      if (text !== undefined) this.#replace(`${text}\n`, 0);
    }
    this.#resume();
  }

  words(text: string): void {
    this.#words = text;
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
    for (const step of running.values()) {
      lines.push(
        `  ${cleanLine(step.title)} ${style('dim', `on ${step.node} for ${formatDuration(Math.max(0, now - step.startedAt))}`)}`,
      );
    }
    for (const step of waiting.values()) {
      lines.push(`  ${cleanLine(step.title)} ${style('yellow', `waiting for a node with ${step.class}`)}`);
    }
    for (const line of this.#words.trimEnd().split('\n').slice(-wordsLines))
      if (line !== '') lines.push(style('dim', `  ${cleanLine(line)}`));
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
