import { openCompatible } from '../../llm/providers/compatible/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('compatible, against a scripted server', () => {
  behavesAsProvider({
    model: 'served',
    path: '/chat/completions',
    keyless: true,
    open: (settings, url) => openCompatible({ ...settings, baseUrl: `${url}/v1` }),
  });
});
