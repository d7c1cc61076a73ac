import type { Command } from 'commander';
import type { ModelInfo } from '../../contracts/llm.ts';
import { connectOrStart, type GlobalOptions } from '../connect.ts';
import { printJson, printJsonLine } from '../output.ts';
import { addLocalCommands, listLocal } from '../model/local.ts';
import { cleanLine } from '../text/clean.ts';
import { style } from '../text/style.ts';
import { table } from '../text/table.ts';

type Options = GlobalOptions & { json?: boolean; all?: boolean; local?: boolean; prompt: string; maxTokens?: string };

export function configure(command: Command): void {
  command
    .option('--json', 'print JSON')
    .option('--all', 'also models of providers that are not configured')
    .action(async () => list(command.optsWithGlobals<Options>()));
  command
    .command('list')
    .description('list the models that can be asked')
    .option('--all', 'also models of providers that are not configured')
    .option('--local', 'the models on your own machines, and where they are')
    .option('--json', 'print JSON')
    .action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      await (options.local ? listLocal(options) : list(options));
    });
  addLocalCommands(command);
  const test = command
    .command('test')
    .description('ask a model one thing; shows the answer, tokens, cost and times')
    .argument('<provider/model>', 'e.g. anthropic/claude-sonnet-4-5')
    .requiredOption('--prompt <text>', 'what to ask')
    .option('--max-tokens <number>', 'of the answer')
    .option('--json', 'print one JSON object per line, as the answer comes');
  test.action(async (model: string) => ask(model, test.optsWithGlobals<Options>()));
}

async function list(options: Options): Promise<void> {
  const client = await connectOrStart(options);
  const models = await client.listModels();
  if (options.json) {
    printJson(models);
    return;
  }
  const shown = models.providers.filter((provider) => provider.configured || options.all);
  for (const { name, reason, circuit } of shown) {
    if (reason !== undefined) process.stderr.write(`${name}: ${cleanLine(reason)}\n`);
    if (circuit)
      process.stderr.write(
        `${name}: failed ${circuit.failures} times in a row and is not asked before ${circuit.until}: ${cleanLine(circuit.reason)}\n`,
      );
  }
  if (shown.length === 0) {
    const names = models.providers.map(({ name }) => name).join(', ');
    process.stdout.write(
      `no provider is configured: give one a key (e.g. ANTHROPIC_API_KEY, OPENAI_API_KEY) and start the stack anew; there are ${names}\n`,
    );
    return;
  }
  const rows = shown.flatMap((provider) => provider.models.map((info) => row(info, models.default)));
  process.stdout.write(table(['MODEL', 'CONTEXT', 'CAN', '$ IN / OUT PER MILLION', ''], rows));
}

function row(info: ModelInfo, usual: string | null): string[] {
  const name = `${info.provider}/${info.id}`;
  const can = (['tools', 'vision', 'thinking'] as const).filter((ability) => info[ability]);
  return [
    name,
    info.contextTokens === undefined ? '-' : `${Math.round(info.contextTokens / 1000)}k`,
    can.join(' '),
    info.price ? `${info.price.input} / ${info.price.output}` : '-',
    name === usual ? 'default' : '',
  ];
}

async function ask(model: string, options: Options): Promise<void> {
  const client = await connectOrStart(options);
  const maxTokens = options.maxTokens === undefined ? {} : { maxTokens: Number(options.maxTokens) };
  for await (const event of client.testModel({ model, prompt: options.prompt, ...maxTokens })) {
    if (options.json) printJsonLine(event);
    else if (event.type === 'text') process.stdout.write(event.text);
    else if (event.type === 'thinking') process.stderr.write(style('dim', event.text));
    else if (event.type === 'finish') {
      const { usage, usd, firstTokenMs, durationMs, stopReason } = event;
      const cached = usage.cacheRead > 0 ? ` (${usage.cacheRead} from the cache)` : '';
      process.stdout.write('\n');
      process.stderr.write(
        style(
          'dim',
          `${event.model}: ${usage.input}${cached} + ${usage.output} tokens, ${usd === null ? 'price unknown' : `$${usd.toFixed(6)}`}, first token after ${firstTokenMs ?? '-'} ms, all after ${durationMs} ms, ended: ${stopReason}\n`,
        ),
      );
    }
  }
}
