// The process of one model. It ends with whoever started it, and takes nobody with it when it crashes.
import { GenerateFailure, LoadedModel, LoadFailure } from './loaded-model.ts';
import type { FromModel, GenerateTask, LoadTask, ToModel } from './wire.ts';

let model: LoadedModel | undefined;
let running: Promise<void> = Promise.resolve();
const aborts = new Map<number, AbortController>();

// In the middle of an evaluation an orderly exit would wait for llama.cpp's threads.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('message', (message: ToModel) => {
  if (message.type === 'load') void load(message);
  else if (message.type === 'abort') aborts.get(message.id)?.abort();
  else {
    const abort = new AbortController();
    aborts.set(message.id, abort);
    running = running.then(() => generate(message.id, message.task, abort.signal));
  }
});

async function load(task: LoadTask): Promise<void> {
  try {
    model = await LoadedModel.load(task);
    send({ type: 'loaded', contextTokens: model.contextTokens, gpu: model.gpu });
  } catch (error) {
    const reason = error instanceof LoadFailure ? error.reason : 'model';
    send({ type: 'load-failed', reason, message: (error as Error).message });
  }
}

async function generate(id: number, task: GenerateTask, signal: AbortSignal): Promise<void> {
  try {
    if (!model) throw new Error('no model is loaded');
    const ended = await model.generate(task, (event) => send({ type: 'event', id, event }), signal);
    send({ type: 'done', id, ...ended });
  } catch (error) {
    const reason = signal.aborted ? 'aborted' : error instanceof GenerateFailure ? error.reason : 'error';
    send({ type: 'failed', id, reason, message: (error as Error).message });
  } finally {
    aborts.delete(id);
  }
}

function send(message: FromModel): void {
  if (process.connected) process.send?.(message);
}
