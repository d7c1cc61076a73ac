import { openOpenAi } from '../../llm/providers/openai/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

for (const { api, path } of [
  { api: 'responses', path: '/responses' },
  { api: 'chat', path: '/chat/completions' },
] as const) {
  describe(`openai (${api}), against a scripted server`, () => {
    behavesAsProvider({
      model: 'gpt-5-mini',
      path,
      open: (settings, url) => openOpenAi({ ...settings, baseUrl: `${url}/v1`, api }),
    });
  });
}
