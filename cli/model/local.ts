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
    .description('say which open models fit this machine, the best first')
    .option('--node <name>', 'for a node instead')
    .option('--json', 'print JSON')
    .action(async (_options: unknown, self: Command) => recommend(self.optsWithGlobals<LocalOptions>()));
  command
    .command('pull')
    .description('fetch a model, or the rest of one; Ctrl-C keeps what has come')
    .argument(
      '<model>',
      'a name of "recommend", hub:owner/repository/file.gguf, hub:owner/repository:Q4_K_M, ollama/NAME, or a path',
    )
    .option('--json', 'print one JSON object per line, as it goes')
    .action(async (model: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LocalOptions>();
      await pull(await connectOrStart(options), sourceOf(model), options);
    });
  command
    .command('rm')
    .description('remove a local model, or ollama/NAME')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LocalOptions>();
      await (await connectOrStart(options)).removeLocalModel(name);
      if (options.json) printJson({ name, action: 'remove' });
      else process.stdout.write(`${name} is removed\n`);
    });
  command
    .command('info')
    .description('show a local model, or ollama/NAME, and what this machine makes of it')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (name: string, _options: unknown, self: Command) => {
      const options = self.optsWithGlobals<LocalOptions>();
      const details = await (await connectOrStart(options)).localModelInfo(name);
      if (options.json) printJson(details);
      else process.stdout.write(describe(details));
    });
}

export async function listLocal(options: LocalOptions): Promise<void> {
  const models = await (await connectOrStart(options)).listLocalModels();
  if (options.json) printJson(models);
  else if (models.length === 0)
    process.stdout.write('there are no local models: "helix models recommend" says which fit this machine\n');
  else
    process.stdout.write(
      table(
        ['MODEL', 'SIZE', 'QUANTIZATION', 'CONTEXT', 'FROM'],
        models.map((model) => [
          `llamacpp/${model.name}`,
          bytesText(sizeOf(model)),
          model.facts.quantization ?? '-',
          tokensText(model.facts.contextTokens),
          cleanLine(model.source),
        ]),
      ),
    );
}

async function recommend(options: LocalOptions): Promise<void> {
  const found = await (await connectOrStart(options)).recommendModels(options.node);
  if (options.json) {
    printJson(found);
    return;
  }
  const { cpus, memoryBytes, gpuMemoryBytes, unifiedMemory } = found.hardware;
  const card = gpuMemoryBytes === undefined ? '' : `, ${bytesText(gpuMemoryBytes)} on the graphics card`;
  const shared = unifiedMemory ? ', shared with the graphics processor' : '';
  process.stderr.write(
    style('dim', `${found.node}: ${cpus} CPUs, ${bytesText(memoryBytes)} of memory${shared}${card}\n`),
  );
  if (found.models.length === 0) {
    process.stdout.write('no model of the list fits: this machine has too little memory\n');
    return;
  }
  process.stdout.write(
    table(['MODEL', 'SIZE', 'CONTEXT', 'RUNS ON', 'TOKENS/S', 'LICENCE', ''], found.models.map(recommendationRow)),
  );
  process.stdout.write('\nfetch one with: helix models pull MODEL\n');
}

function recommendationRow({ name, bytes, fit, licence, pulled }: Recommendation): string[] {
  const speed = `about ${fit.tokensPerSecond < 10 ? fit.tokensPerSecond : Math.round(fit.tokensPerSecond)}`;
  return [
    name,
    bytesText(bytes),
    tokensText(fit.contextTokens),
    places[fit.where],
    speed,
    licence,
    pulled ? 'pulled' : '',
  ];
}

const places: Readonly<Record<Fit['where'], string>> = {
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
      ['path', path ?? '-'],
      ...files.map(({ sha256, file }): [string, string] => ['sha256', `${sha256}  ${file}`]),
    );
  }
  if (fit) {
    const here =
      fit.where === 'nowhere'
        ? `does not fit: it needs ${bytesText(fit.neededBytes)}`
        : `${places[fit.where]}, ${tokensText(fit.contextTokens)} of context, about ${fit.tokensPerSecond} tokens/s`;
    rows.push(['here', here]);
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
