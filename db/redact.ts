import type { JobEventData } from '../contracts/event.ts';
import type { JobRequest } from '../contracts/job.ts';

const hidden = '***';

/** The request without what may be secret: the values of its variables, and credentials in the address of its source. */
export function redactRequest(request: JobRequest): JobRequest {
  return {
    ...request,
    env: Object.fromEntries(Object.keys(request.env).map((name) => [name, hidden])),
    source: { ...request.source, location: redactLocation(request.source.location) },
  };
}

/** The event without credentials in the address of the job's source. */
export function redactEvent(data: JobEventData): JobEventData {
  return data.type === 'job.started' ? { ...data, location: redactLocation(data.location) } : data;
}

/** An https address often carries a token as its user or password; for ssh the user is part of the address. */
function redactLocation(location: string): string {
  return location
    .replace(/^(https?:\/\/)[^/@]+@/i, `$1${hidden}@`)
    .replace(/^([a-z+]+:\/\/[^/:@]+):[^/@]+@/i, `$1:${hidden}@`);
}
