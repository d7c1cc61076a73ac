import { openGemini } from '../../llm/providers/gemini/provider.ts';
import { behavesAsProvider } from './support/behaviour.ts';

describe('gemini, against a scripted server', () => {
  behavesAsProvider({
    model: 'gemini-2.5-flash',
    path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent',
    open: (settings, url) => openGemini({ ...settings, baseUrl: url }),
  });
});
