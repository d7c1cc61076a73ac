import type { Message } from '../../contracts/llm.ts';
import type { Facts } from './facts.ts';
import { shortenText } from './shorten.ts';
import type { TokenEstimator } from './tokens.ts';

/** How a message that stands for others begins. */
const opening = /^\[Summary of (\d+) earlier messages\]/;
const sections = {
  requests: 'The user said',
  openTasks: 'Open tasks',
  decisions: 'Decisions',
  files: 'Files',
  commands: 'Commands',
} as const;
type Section = keyof typeof sections;
const order = Object.keys(sections) as Section[];

/** How many messages a summary stands for; undefined for a message that is none. */
export function summarisedMessages(message: Message): number | undefined {
  const match = opening.exec(textOf(message));
  return match ? Number(match[1]) : undefined;
}

/** The message that takes the place of `count` others; its text has at most `tokens` tokens. */
export function summaryText(
  count: number,
  facts: Facts,
  told: string,
  tokens: number,
  estimator: TokenEstimator,
): string {
  const head = `[Summary of ${count} earlier messages]`;
  let room = tokens - estimator.text(head) - 8;
  const blocks: string[] = [];
  if (told.trim() !== '') {
    const text = shortenText(told.trim(), Math.max(0, Math.floor(room * 0.6) - 40), estimator);
    room -= estimator.text(text) + 2;
    if (room > 0) blocks.push(text);
  }
  // A section may have what the ones before it left, but the first must not take it all.
  for (const [index, section] of order.entries()) {
    const share = index === order.length - 1 ? room : Math.floor(room * 0.45);
    const block = blockOf(sections[section], linesOf(facts, section), share, estimator);
    if (block === '') continue;
    blocks.push(block);
    room -= estimator.text(block) + 2;
  }
  const text = [head, ...blocks].join('\n\n');
  return estimator.text(text) <= tokens ? text : head;
}

/** The facts that a summary was written with. What a model told in it is not among them. */
export function factsInSummary(message: Message): Facts {
  const facts: Facts = { requests: [], decisions: [], openTasks: [], files: new Map(), commands: [] };
  let section: Section | undefined;
  for (const line of textOf(message).split('\n')) {
    const title = /^## (.+)/.exec(line)?.[1];
    if (title !== undefined) section = order.find((one) => sections[one] === title);
    else if (section && line.startsWith('- ')) readLine(facts, section, line.slice(2));
  }
  return facts;
}

/** What a model told in a summary: all before its first section. */
export function toldInSummary(message: Message): string {
  const [before = ''] = textOf(message).split(/^## /m);
  return before.replace(opening, '').trim();
}

function readLine(facts: Facts, section: Section, line: string): void {
  if (section !== 'files') {
    facts[section].push(line);
    return;
  }
  const colon = line.lastIndexOf(': ');
  if (colon > 0) facts.files.set(line.slice(0, colon), line.slice(colon + 2).split(', '));
}

function linesOf(facts: Facts, section: Section): string[] {
  if (section !== 'files') return facts[section];
  return [...facts.files].map(([path, actions]) => `${path}: ${actions.join(', ')}`);
}

/** A section with its last lines, as many as there is room for. */
function blockOf(title: string, lines: readonly string[], tokens: number, estimator: TokenEstimator): string {
  const head = `## ${title}`;
  let room = tokens - estimator.text(head) - 4;
  const kept: string[] = [];
  for (const line of lines.toReversed()) {
    const cost = estimator.text(line) + 3;
    if (cost > room) break;
    room -= cost;
    kept.unshift(`- ${line}`);
  }
  return kept.length === 0 ? '' : [head, ...kept].join('\n');
}

function textOf(message: Message): string {
  if (message.role !== 'user') return '';
  const first = message.content[0]!;
  return first.type === 'text' ? first.text : '';
}
