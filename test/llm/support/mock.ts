import { LLMock } from '@copilotkit/aimock';
import type { Fixture, JournalEntry, MockServerOptions } from '@copilotkit/aimock';

/** A scripted server of models on a port of its own. */
export interface Mock {
  /** Without a path: OpenAI's base is `${url}/v1`, Anthropic's and Gemini's the url itself. */
  readonly url: string;
  readonly server: LLMock;
  /** What it was asked so far, oldest first. */
  journal(): JournalEntry[];
}

/** Runs `use` with a scripted server that answers by the first fixture that matches, and stops it afterwards. */
export async function withMock<T>(
  fixtures: Fixture[],
  use: (mock: Mock) => Promise<T>,
  options: MockServerOptions = {},
): Promise<T> {
  const server = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent', ...options });
  server.addFixtures(fixtures);
  await server.start();
  try {
    return await use({ url: server.url, server, journal: () => server.getRequests() });
  } finally {
    await server.stop();
  }
}
