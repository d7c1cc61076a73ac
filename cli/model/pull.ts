import type { HelixClient } from '../../client/client.ts';
import type { PullEvent } from '../../contracts/local-model.ts';
import { printJsonLine } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { bytesText } from './bytes-text.ts';

/** As a shell counts a program that Ctrl-C ended. */
const interruptedExitCode = 130;

/** Pulls a model and shows how far it is. Ctrl-C ends the download; what has come stays for the next time. */
export async function pull(
  client: HelixClient,
  source: string,
  { json, node }: { json?: boolean; node?: string },
): Promise<void> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const meter = new Meter();
  try {
    for await (const event of client.pullModel(source, { signal: interrupted.signal, node })) {
      if (json) printJsonLine(event);
      else if (event.type === 'progress') meter.show(event);
      else if (event.type === 'done') {
        meter.end();
        process.stdout.write(`${event.name} is here: try it with "helix models test ${event.name} --prompt Hello"\n`);
      }
    }
  } catch (error) {
    meter.end();
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write('interrupted: pull it again to go on from here\n');
    process.exitCode = interruptedExitCode;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** One line that is written over on a terminal; elsewhere a line for each thing that is done, and each tenth of it. */
class Meter {
  #what = '';
  #tenth = -1;
  #isOpen = false;
  #since = { at: 0, bytes: 0 };

  show({ what, completedBytes, totalBytes }: Extract<PullEvent, { type: 'progress' }>): void {
    const isNew = what !== this.#what;
    if (isNew) {
      this.#what = what;
      this.#tenth = -1;
      this.#since = { at: performance.now(), bytes: completedBytes ?? 0 };
    }
    const text = `${cleanLine(what)}${this.#amount(completedBytes, totalBytes)}`;
    if (process.stderr.isTTY) {
      process.stderr.write(`${isNew && this.#isOpen ? '\n' : ''}\r\u001b[K${text}`);
      this.#isOpen = true;
      return;
    }
    const tenth = completedBytes === undefined || !totalBytes ? -1 : Math.floor((completedBytes / totalBytes) * 10);
    if (!isNew && tenth <= this.#tenth) return;
    this.#tenth = tenth;
    process.stderr.write(`${text}\n`);
  }

  end(): void {
    if (this.#isOpen) process.stderr.write('\n');
    this.#isOpen = false;
  }

  #amount(completed: number | undefined, total: number | undefined): string {
    if (completed === undefined || !total) return '';
    const seconds = (performance.now() - this.#since.at) / 1000;
    const rate = seconds < 1 ? '' : `, ${bytesText((completed - this.#since.bytes) / seconds)}/s`;
    return `: ${Math.floor((completed / total) * 100)}% of ${bytesText(total)}${rate}`;
  }
}
