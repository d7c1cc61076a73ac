import { pino } from 'pino';
import type { Bindings, ChildLoggerOptions, DestinationStream, Logger } from 'pino';
import { redactText, redactValue } from './redact.ts';

export type { Logger };

export interface LoggerOptions {
  level?: string;
  /** Where the lines go; standard output by default. */
  destination?: DestinationStream;
}

/** A logger of JSON lines `{level, time, name, pid, msg, ...}`, `level` as a word and `time` in ISO 8601. Secrets are redacted. */
export function createLogger(name: string, options: LoggerOptions = {}): Logger {
  const logger: Logger = pino(
    {
      name,
      level: options.level ?? 'info',
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redactValue(fields),
      },
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method) {
          const [first, ...rest] = args as unknown[];
          const error = first instanceof Error ? first : (first as { err?: unknown } | null)?.err;
          // Without words of its own a line gets those of its error, which pino takes as they are.
          const words = rest.length === 0 && error instanceof Error ? [error.message] : rest;
          const safe = [
            typeof first === 'string' ? redactText(first) : first,
            ...words.map((word) => redactValue(word)),
          ];
          method.apply(this, safe as typeof args);
        },
      },
    },
    options.destination ?? pino.destination({ dest: 1, sync: true }),
  );
  // pino gives the fields of a child to no formatter; children inherit this method.
  const plainChild: (this: Logger, bindings: Bindings, childOptions?: ChildLoggerOptions) => Logger = logger.child;
  return Object.assign(logger, {
    child(this: Logger, bindings: Bindings, childOptions?: ChildLoggerOptions) {
      return plainChild.call(this, redactValue(bindings), childOptions);
    },
  });
}
