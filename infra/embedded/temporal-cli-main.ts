import { HelixError } from '../../contracts/error.ts';
import { resolveTemporalCli } from './temporal-cli.ts';

/** Makes the Temporal CLI available and prints where it is; for the launcher. */
try {
  process.stdout.write(
    `${await resolveTemporalCli({ onProgress: (line) => process.stderr.write(`helix: ${line}\n`) })}\n`,
  );
} catch (error) {
  if (!(error instanceof HelixError)) throw error;
  process.stderr.write(`helix: ${error.message}\n`);
  process.exitCode = 1;
}
