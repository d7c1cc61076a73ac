import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Fit, LocalModel, LocalModelDetails, Recommendation } from '../../contracts/local-model.ts';
import { connectOrStart, type GlobalOptions } from '../connect.ts';
import { printJson } from '../output.ts';
import { cleanLine } from '../text/clean.ts';
import { style } from '../text/style.ts';
import { table } from '../text/table.ts';
import { pull } from './pull.ts';
import { bytesText } from './bytes-text.ts';

type LocalOptions = GlobalOptions & { json?: boolean; node?: string };

/** The subcommands of `helix models` that are about models on the user's own machines. */
export function addLocalCommands(command: Command): void {
  command
    .command('recommend')
    .description('say which open models fit your machines, the best first, and which node each would take')
    .option('--node <name>', 'for one node alone')
    .option('--json', 'print JSON')
    .action(async (_options: unknown, self: Command) => recommend(self.optsWithGlobals<LocalOptions>()));
  command
    .command('pull')
    .description('fetch a model, or the rest of one; Ctrl-C keeps what has come')
    .argument(
      '<model>',
      'a name of "recommend", hub:owner/repository/file.gguf, hub:owner/repository:Q4_K_M, ollama/NAME, or a path',
    )
    .option('--node <name>', 'where to, instead of the node that suits best')
    .option('--json', 'print one JSON object per line, as it goes')
    .action(async (model: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LocalOptions>();
      await pull(await connectOrStart(options), sourceOf(model), options);
    });
  command
    .command('rm')
    .description('remove a local model, or ollama/NAME')
    .argument('<name>')
    .option('--node <name>', 'where, when it is on several')
    .option('--json', 'print JSON')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LocalOptions>();
      await (await connectOrStart(options)).removeLocalModel(name, options.node);
      if (options.json) printJson({ name, action: 'remove' });
      else process.stdout.write(`${name} is removed\n`);
    });
  command
    .command('info')
    .description('show a local model, or ollama/NAME, where it is and what that machine makes of it')
    .argument('<name>')
    .option('--node <name>', 'where, when it is on several')
    .option('--json', 'print JSON')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LocalOptions>();
      const details = await (await connectOrStart(options)).localModelInfo(name, options.node);
      if (options.json) printJson(details);
      else process.stdout.write(describe(details));
    });
}

export async function listLocal(options: LocalOptions): Promise<void> {
  const listed = await (await connectOrStart(options)).listLocalModels();
  if (options.json) {
    printJson(listed);
    return;
  }
  const { models, ollama, ollamaReason } = listed;
  if (ollamaReason !== undefined) process.stderr.write(`ollama: ${cleanLine(ollamaReason)}\n`);
  if (models.length + ollama.length === 0) {
    process.stdout.write('there are no local models: "helix models recommend" says which fit your machines\n');
    return;
  }
  const rows = [
    ...models.map((model) => [
      `llamacpp/${model.name}`,
      model.node,
      bytesText(sizeOf(model)),
      model.facts.quantization ?? '-',
      tokensText(model.facts.contextTokens),
      cleanLine(model.source),
    ]),
    ...ollama.map(({ name, bytes, quantization, contextTokens }) => [
      `ollama/${cleanLine(name)}`,
      '-',
      bytesText(bytes),
      cleanLine(quantization),
      tokensText(contextTokens),
      'ollama',
    ]),
  ];
  process.stdout.write(table(['MODEL', 'NODE', 'SIZE', 'QUANTIZATION', 'CONTEXT', 'FROM'], rows));
}

async function recommend(options: LocalOptions): Promise<void> {
  const found = await (await connectOrStart(options)).recommendModels(options.node);
  if (options.json) {
    printJson(found);
    return;
  }
  for (const { node, hardware } of found.machines) {
    const { cpus, memoryBytes, gpuMemoryBytes, unifiedMemory } = hardware;
    const card = gpuMemoryBytes === undefined ? '' : `, ${bytesText(gpuMemoryBytes)} on the graphics card`;
    const shared = unifiedMemory ? ', shared with the graphics processor' : '';
    process.stderr.write(style('dim', `${node}: ${cpus} CPUs, ${bytesText(memoryBytes)} of memory${shared}${card}\n`));
  }
  if (found.models.length === 0) {
    process.stdout.write('no model of the list fits: there is too little memory\n');
    return;
  }
  const heads = ['MODEL', 'SIZE', 'CONTEXT', 'NODE', 'RUNS ON', 'TOKENS/S', 'LICENCE', 'ALSO FITS'];
  process.stdout.write(table(heads, found.models.map(recommendationRow)));
  process.stdout.write('\nfetch one with: helix models pull MODEL [--node NODE]\n');
}

/** The place that it would be pulled to, then the others. */
function recommendationRow({ name, bytes, licence, places: [first, ...others] }: Recommendation): string[] {
  const { node, fit, pulled } = first!;
  const also = others.map((place) => `${place.node} (${speedText(place.fit)}${place.pulled ? ', pulled' : ''})`);
  return [
    name,
    bytesText(bytes),
    tokensText(fit.contextTokens),
    `${node}${pulled ? ' (pulled)' : ''}`,
    placeTexts[fit.where],
    speedText(fit),
    licence,
    also.join(', '),
  ];
}

function speedText({ tokensPerSecond }: Fit): string {
  return `about ${tokensPerSecond < 10 ? tokensPerSecond : Math.round(tokensPerSecond)}`;
}

const placeTexts: Readonly<Record<Fit['where'], string>> = {
  gpu: 'graphics card',
  'partly-gpu': 'both',
  cpu: 'processor',
  nowhere: 'does not fit',
};

function describe({ model, path, fit, ollama }: LocalModelDetails): string {
  const rows: [string, string][] = [];
  if (ollama) {
    rows.push(
      ['model', `ollama/${ollama.name}`],
      ['context', tokensText(ollama.contextTokens)],
      ['can', ollama.can.join(' ')],
    );
  }
  if (model) {
    const { facts, files } = model;
    rows.push(
      ['model', `llamacpp/${model.name}`],
      ['calls itself', cleanLine(facts.name ?? '-')],
      ['architecture', cleanLine(facts.architecture)],
      ['parameters', facts.parameters === undefined ? '-' : `${(facts.parameters / 1e9).toFixed(1)} billion`],
      ['quantization', facts.quantization ?? '-'],
      ['context', tokensText(facts.contextTokens)],
      ['size', bytesText(sizeOf(model))],
      ['cache', `${bytesText(facts.cacheBytesPerToken * 1000)} for 1,000 tokens`],
      ['from', cleanLine(model.source)],
      ['pulled', model.pulledAt],
      ['node', model.node],
      ...(path === undefined ? [] : [['path', path] satisfies [string, string]]),
      ...files.map(({ sha256, file }): [string, string] => ['sha256', `${sha256}  ${file}`]),
    );
  }
  if (fit) {
    const there =
      fit.where === 'nowhere'
        ? `does not fit: it needs ${bytesText(fit.neededBytes)}`
        : `${placeTexts[fit.where]}, ${tokensText(fit.contextTokens)} of context, about ${fit.tokensPerSecond} tokens/s`;
    rows.push(['there', there]);
  }
  return rows.map(([name, value]) => `${style('dim', name.padEnd(13))} ${value}\n`).join('');
}

/** A relative path is the user's, and the server has another folder. */
function sourceOf(model: string): string {
  const isPath = /^\.{1,2}\//.test(model) || (/\.gguf$/i.test(model) && existsSync(model));
  return isPath ? resolve(model) : model;
}

function sizeOf(model: LocalModel): number {
  return model.files.reduce((sum, { bytes }) => sum + bytes, 0);
}

function tokensText(tokens: number | undefined): string {
  return tokens === undefined ? '-' : tokens < 1000 ? String(tokens) : `${Math.round(tokens / 1000)}k`;
}
