import { openOpenRouter } from '../../llm/providers/openrouter/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('openrouter, against a scripted server', () => {
  behavesAsProvider({
    model: 'openai/gpt-5-mini',
    path: '/chat/completions',
    open: (settings, url) => openOpenRouter({ ...settings, baseUrl: `${url}/api/v1` }),
  });
});
