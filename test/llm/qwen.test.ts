import { openQwen } from '../../llm/providers/qwen/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('qwen, against a scripted server', () => {
  behavesAsProvider({
    model: 'qwen3-coder-plus',
    path: '/chat/completions',
    open: (settings, url) => openQwen({ ...settings, baseUrl: `${url}/v1` }),
  });
});
