import { openOllama } from '../../llm/providers/ollama/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('ollama, against a scripted server', () => {
  behavesAsProvider({
    model: 'llama3.2',
    path: '/api/chat',
    keyless: true,
    withoutThinking: true,
    open: (settings, url) => openOllama({ ...settings, baseUrl: `${url}` }),
  });
});
