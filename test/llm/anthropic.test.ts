import { openAnthropic } from '../../llm/providers/anthropic/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('anthropic, against a scripted server', () => {
  behavesAsProvider({
    model: 'claude-haiku-4-5',
    path: '/v1/messages',
    open: (settings, url) => openAnthropic({ ...settings, baseUrl: url }),
  });
});
