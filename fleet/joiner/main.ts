import { parseArgs } from 'node:util';
import { errorCodes, HelixError } from '../../contracts/error.ts';
import { runJoiner } from './run.ts';

const usage = `usage: node ${process.argv[1] ?? 'join.mjs'} [TOKEN] [--root FOLDER]
Makes this machine a node of the controller that made the token; "-" reads the token from standard input. See "helix node join --help".
`;

/** `helix node join` as one file, for machines without HelixCode. */
async function main(): Promise<number> {
  try {
    const { positionals, values } = readArguments();
    if (values.help || positionals.length > 1) {
      process.stderr.write(usage);
      return values.help ? 0 : 2;
    }
    await runJoiner({ token: positionals[0], root: values.root });
    return 0;
  } catch (error) {
    const isForPeople = error instanceof HelixError;
    process.stderr.write(`helix: ${isForPeople ? error.message : String((error as Error).stack)}\n`);
    return errorCodes[isForPeople ? error.code : 'internal'].exitCode;
  }
}

function readArguments() {
  try {
    return parseArgs({
      options: { root: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new HelixError('usage.invalid', `${(error as Error).message}\n${usage.trimEnd()}`);
  }
}

process.exitCode = await main();
