import assert from 'node:assert/strict';
import { llmRequestSchema, type JsonValue, type LlmRequestInput } from '../../contracts/llm.ts';
import { buildsFor } from '../../llm/providers/llamacpp/builds.ts';
import { chatHistory } from '../../llm/providers/llamacpp/history.ts';
import { grammarSchema, withoutNulls } from '../../llm/providers/llamacpp/schema.ts';

describe("llama.cpp's grammars of JSON schemas", () => {
  it('let members that are not required be null, and take those nulls out again', () => {
    const schema = {
      type: 'object',
      properties: {
        path: { type: 'string' },
        line: { type: 'integer', description: 'from 1' },
        note: { type: ['string', 'null'] },
      },
      required: ['path'],
    };
    assert.deepEqual(grammarSchema(schema), {
      type: 'object',
      properties: {
        path: { type: 'string' },
        line: { oneOf: [{ type: 'integer', description: 'from 1' }, { type: 'null' }], description: 'from 1' },
        note: { oneOf: [{ type: 'string' }, { type: 'null' }] },
      },
    });
    assert.deepEqual(withoutNulls({ path: 'a', line: null, note: null }, schema), { path: 'a', note: null });
  });

  it('know references, alternatives, parts, lists and free objects', () => {
    const schema: Record<string, JsonValue> = {
      type: 'object',
      properties: {
        tree: { $ref: '#/definitions/tree' },
        either: {
          anyOf: [
            { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } }, required: ['a'] },
            { type: 'number' },
          ],
        },
        both: {
          allOf: [
            { type: 'object', properties: { x: { const: 1 } }, required: ['x'] },
            { properties: { y: { enum: ['u', null] } } },
          ],
        },
        free: { type: 'object' },
        any: {},
      },
      required: ['tree', 'either', 'both', 'free', 'any'],
      definitions: {
        tree: {
          type: 'object',
          properties: {
            children: { type: 'array', items: { $ref: '#/definitions/tree' }, maxItems: 2 },
            name: { type: 'string' },
          },
        },
      },
    };
    const made = grammarSchema(schema) as {
      properties: Record<string, Record<string, unknown>>;
      $defs: Record<string, unknown>;
    };
    assert.deepEqual(made.properties['tree'], { $ref: '#/$defs/tree' });
    assert.deepEqual(Object.keys(made.$defs), ['tree']);
    assert.deepEqual(made.properties['both'], {
      type: 'object',
      properties: { x: { const: 1 }, y: { enum: ['u', null] } },
    });
    assert.equal(made.properties['free']?.['additionalProperties'], true);
    assert.ok(Array.isArray(made.properties['any']?.['oneOf']));
    const value = {
      tree: { children: [{ children: null, name: null }], name: null },
      either: { a: 'x', b: null },
      both: { x: 1, y: null },
      free: { z: null },
      any: null,
    };
    assert.deepEqual(withoutNulls(value, schema), {
      tree: { children: [{}] },
      either: { a: 'x' },
      both: { x: 1, y: null },
      free: { z: null },
      any: null,
    });
  });
});

describe("llama.cpp's conversations", () => {
  it('hold results in their calls, and one answer between two messages of the user', () => {
    const messages: LlmRequestInput['messages'] = [
      { role: 'user', content: [{ type: 'text', text: 'Look' }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', text: 'Hm', opaque: { provider: 'llamacpp', data: null } },
          { type: 'thinking', text: 'not mine', opaque: { provider: 'ollama', data: null } },
          {
            type: 'tool-call',
            id: '1',
            name: 'read',
            arguments: { path: 'a' },
            opaque: { provider: 'llamacpp', data: { model: 'm', raw: ['raw'] } },
          },
          {
            type: 'tool-call',
            id: '2',
            name: 'read',
            arguments: {},
            opaque: { provider: 'llamacpp', data: { model: 'other', raw: ['no'] } },
          },
        ],
      },
      {
        role: 'tool',
        content: [
          { type: 'tool-result', callId: '1', name: 'read', content: [{ type: 'text', text: 'gone' }], isError: true },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'It is gone.' }] },
      { role: 'user', content: [{ type: 'text', text: 'Pity' }] },
    ];
    assert.deepEqual(chatHistory(llmRequestSchema.parse({ model: 'm', system: 'Be kind', messages })), [
      { type: 'system', text: 'Be kind' },
      { type: 'user', text: 'Look' },
      {
        type: 'model',
        response: [
          { type: 'segment', segmentType: 'thought', text: 'Hm', ended: true },
          { type: 'functionCall', name: 'read', params: { path: 'a' }, result: 'Error: gone', rawCall: ['raw'] },
          { type: 'functionCall', name: 'read', params: {}, result: 'Error: there is no result' },
          'It is gone.',
        ],
      },
      { type: 'user', text: 'Pity' },
    ]);
  });
});

describe('builds of llama.cpp', () => {
  it('fit the machine, the best first, and end with the processor', () => {
    const linux = { platform: 'linux', arch: 'x64', cuda: true, vulkan: true };
    const packages = (...args: Parameters<typeof buildsFor>) => buildsFor(...args).map((build) => build.packages[0]);
    assert.deepEqual(packages(linux), ['linux-x64-cuda', 'linux-x64-vulkan', 'linux-x64']);
    assert.deepEqual(packages(linux, 'vulkan'), ['linux-x64-vulkan', 'linux-x64']);
    assert.deepEqual(packages(linux, 'off'), ['linux-x64']);
    assert.deepEqual(packages({ ...linux, arch: 'arm64' }), ['linux-arm64']);
    assert.deepEqual(buildsFor({ ...linux, platform: 'darwin', arch: 'arm64' }), [
      { packages: ['mac-arm64-metal'], gpu: 'metal' },
    ]);
    assert.deepEqual(packages({ ...linux, platform: 'openbsd' }), []);
  });
});
