import { openXai } from '../../llm/providers/xai/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('xai, against a scripted server', () => {
  behavesAsProvider({
    model: 'grok-4',
    path: '/chat/completions',
    open: (settings, url) => openXai({ ...settings, baseUrl: `${url}/v1` }),
  });
});
