import type { JsonValue, Message } from '../../contracts/llm.ts';

/** What has to survive of messages that are no longer shown. Lists are in the order things happened, without repetition. */
export interface Facts {
  /** What the user said. */
  requests: string[];
  decisions: string[];
  /** Of the agent's last plan, or said to be open. */
  openTasks: string[];
  /** What was done with each file, by path. */
  files: Map<string, string[]>;
  /** Commands with what came of them. */
  commands: string[];
}

const decided =
  /\b(decid\w+|decision|chose\w*|will (?:use|keep|not)|must (?:not|be|stay|never)?|should not|never|instead of|rather than|because|agreed|requirement|constraint)\b/i;
const open = /^\s*(?:[-*]\s*)?(?:\[ \]|TODO\b:?|open:|next:|remaining:|still to do:)\s*(.+)/i;
const pathKeys = ['path', 'file', 'file_path', 'filePath', 'filename', 'from', 'to'];
const patchedFile = /^(?:\+\+\+ b\/|\*\*\* (?:Add|Update|Delete) File: )(\S.*)$/gm;
const longestLine = 300;

/** Reads the facts out of messages, with rules alone; `earlier` are the facts of what came before them. */
export function factsOf(messages: readonly Message[], earlier: readonly Facts[] = []): Facts {
  const facts = mergeFacts(earlier);
  const results = resultsOf(messages);
  for (const message of messages) {
    if (message.role === 'user') {
      for (const part of message.content) if (part.type === 'text') add(facts.requests, part.text);
    } else if (message.role === 'assistant') {
      for (const part of message.content) {
        if (part.type === 'text') readText(facts, part.text);
        else if (part.type === 'tool-call') readCall(facts, part.name, part.arguments, results.get(part.id));
      }
    }
  }
  return facts;
}

function mergeFacts(all: readonly Facts[]): Facts {
  const merged: Facts = { requests: [], decisions: [], openTasks: [], files: new Map(), commands: [] };
  for (const facts of all) {
    for (const list of ['requests', 'decisions', 'commands'] as const)
      for (const line of facts[list]) add(merged[list], line);
    if (facts.openTasks.length > 0) merged.openTasks = [...facts.openTasks];
    for (const [path, actions] of facts.files) for (const action of actions) touch(merged, path, action);
  }
  return merged;
}

function readText(facts: Facts, text: string): void {
  for (const line of text.split('\n')) {
    const task = open.exec(line)?.[1];
    if (task) {
      add(facts.openTasks, task);
      continue;
    }
    for (const sentence of line.split(/(?<=[.!?])\s+/)) if (decided.test(sentence)) add(facts.decisions, sentence);
  }
}

function readCall(facts: Facts, name: string, args: JsonValue, result: CallResult | undefined): void {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return;
  const action = result?.isError ? `${name} failed` : name;
  for (const path of pathsIn(args)) touch(facts, path, action);
  const tasks = planIn(args);
  if (tasks) facts.openTasks = tasks.map(oneLine);
  if (typeof args.question === 'string' && result) add(facts.requests, `${args.question} ${result.text}`);
  const command = Array.isArray(args.command)
    ? args.command.filter((word) => typeof word === 'string').join(' ')
    : args.command;
  if (typeof command === 'string') add(facts.commands, `${oneLine(command)}: ${outcome(result)}`);
}

/** Paths a call was about: its own, and those of a list of edits in it. */
function pathsIn(args: { [key: string]: JsonValue }): string[] {
  const paths = pathKeys.flatMap((key) => (typeof args[key] === 'string' ? [args[key]] : []));
  for (const value of Object.values(args)) {
    if (!Array.isArray(value)) continue;
    for (const item of value)
      if (typeof item === 'object' && item !== null && !Array.isArray(item)) paths.push(...pathsIn(item));
  }
  if (typeof args.patch === 'string') for (const [, path] of args.patch.matchAll(patchedFile)) paths.push(path!);
  if (Array.isArray(args.paths)) paths.push(...args.paths.filter((path) => typeof path === 'string'));
  return paths;
}

/** The tasks of a plan that are not done; undefined when the call is none. */
function planIn(args: { [key: string]: JsonValue }): string[] | undefined {
  for (const value of Object.values(args)) {
    if (!Array.isArray(value) || value.length === 0) continue;
    const items = value.map((item) => {
      if (typeof item !== 'object' || item === null || Array.isArray(item)) return undefined;
      const state = item.state ?? item.status;
      const text = item.text ?? item.content ?? item.title;
      return typeof state === 'string' && typeof text === 'string' ? { state, text } : undefined;
    });
    if (items.every((item) => item !== undefined)) {
      return items.filter(({ state }) => !/^(done|completed?|cancel\w*)$/.test(state)).map(({ text }) => text);
    }
  }
  return undefined;
}

interface CallResult {
  text: string;
  isError: boolean;
}

function resultsOf(messages: readonly Message[]): Map<string, CallResult> {
  const results = new Map<string, CallResult>();
  for (const message of messages) {
    if (message.role !== 'tool') continue;
    for (const { callId, content, isError } of message.content) {
      results.set(callId, {
        text: content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n'),
        isError,
      });
    }
  }
  return results;
}

/** `exit code 1`, where the result says so, otherwise its last line. */
function outcome(result: CallResult | undefined): string {
  if (!result) return 'no result';
  const code = /exit(?:ed)?(?: with)?(?: code| status)?[ :=]+(-?\d+)/i.exec(result.text)?.[1];
  if (code !== undefined) return `exit code ${code}`;
  const last = oneLine(result.text.trimEnd().split('\n').at(-1) ?? '').slice(0, 120);
  return `${result.isError ? 'failed' : 'succeeded'}${last ? `, ${last}` : ''}`;
}

function touch(facts: Facts, path: string, action: string): void {
  const actions = facts.files.get(path) ?? [];
  // Moved to the end: what was touched last matters most.
  facts.files.delete(path);
  facts.files.set(path, actions);
  if (!actions.includes(action)) actions.push(action);
}

function add(list: string[], text: string): void {
  const line = oneLine(text);
  if (line === '') return;
  const before = list.indexOf(line);
  if (before !== -1) list.splice(before, 1);
  list.push(line);
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= longestLine ? line : `${line.slice(0, longestLine - 1).toWellFormed()}…`;
}
