import { HelixError } from '../../contracts/error.ts';
import { type JobRequest, type Priority, prioritySchema } from '../../contracts/job.ts';
import { parseSize } from '../../contracts/size.ts';
import type { RequestOptions } from './request-options.ts';

/** What every step takes of its node, and whose go first. Throws `usage.invalid`. */
export function placementOptions(options: RequestOptions): Pick<JobRequest, 'resources' | 'priority'> {
  const { cores, memory, exclusive, priority } = options;
  const resources = {
    ...(cores === undefined ? {} : { cores: parseCores(cores) }),
    ...(memory === undefined ? {} : { memory: parseMemory(memory) }),
    ...(exclusive ? { exclusive } : {}),
  };
  return {
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    ...(priority === undefined ? {} : { priority: parsePriority(priority) }),
  };
}

function parseCores(text: string): number {
  const cores = Number(text);
  if (text.trim() !== '' && cores > 0) return cores;
  throw new HelixError('usage.invalid', `--cores takes a number above 0, not "${text}"`);
}

function parseMemory(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined && bytes > 0) return Math.round(bytes);
  throw new HelixError('usage.invalid', `--memory takes a size like 512MiB or 4GiB, not "${text}"`);
}

function parsePriority(text: string): Priority {
  const parsed = prioritySchema.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new HelixError('usage.invalid', `--priority takes one of ${prioritySchema.options.join(', ')}, not "${text}"`);
}
