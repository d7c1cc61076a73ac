import type { z } from 'zod';
import type { JsonValue } from '../contracts/llm.ts';
import type { Tool } from './tools/tool.ts';

/** The arguments of a call, or what is wrong with them, for the model. */
export function readArguments(tool: Tool, given: JsonValue): { args: unknown } | { problem: string } {
  if (typeof given === 'string' && given.trim() !== '') {
    return { problem: `The arguments of ${tool.name} are no JSON. ${expected(tool)}` };
  }
  const result = tool.parameters.safeParse(withoutNulls(given));
  if (result.success) return { args: result.data };
  const problems = result.error.issues.map(describeIssue);
  return { problem: `The arguments of ${tool.name} do not fit: ${problems.join('; ')}. ${expected(tool)}` };
}

// Models give null for what they leave out.
function withoutNulls(given: JsonValue): JsonValue {
  if (given === null || given === '') return {};
  if (typeof given !== 'object' || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const field = issue.path.length > 0 ? `"${issue.path.join('.')}"` : 'the whole';
  return `${field}: ${issue.message}`;
}

function expected({ schema }: Tool): string {
  return `They have to be JSON of this schema: ${JSON.stringify(schema)}`;
}
