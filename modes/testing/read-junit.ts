import { XMLParser } from 'fast-xml-parser';
import type { TestCase } from './test-report.ts';

type Element = Record<string, unknown>;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  textNodeName: '#text',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  isArray: (name) => ['testsuite', 'testcase', 'failure', 'error', 'skipped'].includes(name),
});

/** The cases of a JUnit XML file as pytest, surefire, gradle and ctest write it; undefined when it is no such file. */
export function readJunit(content: Buffer): TestCase[] | undefined {
  const text = content.toString('utf8');
  if (!/<testsuites?[\s>]/.test(text)) return undefined;
  try {
    const document = parser.parse(text) as Element;
    const top = isElement(document['testsuites']) ? document['testsuites'] : document;
    return suites(top['testsuite'], '');
  } catch {
    return undefined;
  }
}

function suites(found: unknown, outer: string): TestCase[] {
  return elements(found).flatMap((suite) => {
    const name = attribute(suite, 'name') ?? outer;
    return [...elements(suite['testcase']).map((each) => testCase(each, name)), ...suites(suite['testsuite'], name)];
  });
}

function testCase(element: Element, suite: string): TestCase {
  const problems = [...elements(element['failure']), ...elements(element['error'])];
  const [problem] = problems;
  const status = attribute(element, 'status');
  const skipped = element['skipped'] !== undefined || status === 'disabled' || status === 'notrun';
  const seconds = Number(attribute(element, 'time'));
  const printed = [element['system-out'], element['system-err']].map(textOf).filter((text) => text.trim() !== '');
  const output = [...problems.map(textOf), ...printed]
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .join('\n');
  return {
    suite: attribute(element, 'classname') ?? suite,
    name: attribute(element, 'name') ?? '',
    status: problem ? 'failed' : skipped ? 'skipped' : 'passed',
    ...(Number.isFinite(seconds) ? { durationMs: Math.round(seconds * 1000) } : {}),
    ...(problem
      ? { message: attribute(problem, 'message') || textOf(problem).trim().split('\n')[0] || 'failed', output }
      : {}),
  };
}

function elements(value: unknown): Element[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return list.map((item: unknown) => (isElement(item) ? item : { '#text': item }));
}

function isElement(value: unknown): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function attribute(element: Element, name: string): string | undefined {
  const value = element[`@${name}`];
  return typeof value === 'string' ? value : undefined;
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return isElement(value) && typeof value['#text'] === 'string' ? value['#text'] : '';
}
