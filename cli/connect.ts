import { type HelixClient, createClient } from '../client/client.ts';
import { loadConfig } from '../config/load.ts';
import { HelixError } from '../contracts/error.ts';

export interface GlobalOptions {
  /** Address of an API given by the user. */
  api?: string;
}

/** A client of the API that was given, or of the stack that is up. Throws `stack.unreachable` when none is up. */
export async function connect(options: GlobalOptions): Promise<HelixClient> {
  if (options.api !== undefined) return createClient(checkedUrl(options.api));
  const config = loadConfig();
  const { readStackState } = await import('../infra/embedded/stack.ts');
  const state = await readStackState(config);
  if (!state) {
    throw new HelixError('stack.unreachable', `the stack of ${config.home} is not up: start it with "helix up"`);
  }
  return createClient(state.apiUrl);
}

/** Like `connect`, but starts the stack when it is not up, saying so on stderr. */
export async function connectOrStart(options: GlobalOptions): Promise<HelixClient> {
  if (options.api !== undefined) return createClient(checkedUrl(options.api));
  const { up } = await import('../infra/embedded/stack.ts');
  const state = await up(loadConfig(), (line) => process.stderr.write(`${line}\n`));
  return createClient(state.apiUrl);
}

function checkedUrl(text: string): string {
  const url = URL.parse(text);
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return text;
  throw new HelixError('usage.invalid', `--api takes an address like http://127.0.0.1:8640, not "${text}"`);
}
