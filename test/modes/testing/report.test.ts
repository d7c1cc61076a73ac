import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { junitXml, quoteFailures, readTestReport } from '../../../modes/testing/report.ts';
import type { TestReport } from '../../../modes/testing/report.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

async function read(name: string, exitCode = 1): Promise<{ report: TestReport; log: string }> {
  const log = await readFile(join(fixtures, name), 'utf8');
  return { report: readTestReport({ task: `test:${name}`, log, exitCode, end: 'exited', files: new Map() }), log };
}

async function quote(name: string, limit?: number): Promise<string> {
  const { report, log } = await read(name);
  return quoteFailures([report], new Map([[report.task, log]]), limit);
}

describe('the JUnit report', () => {
  it('is one well-formed document with a suite for each task and the numbers of the runners', async () => {
    const reports = [(await read('mocha.log')).report, (await read('jest.log')).report];
    const xml = junitXml(reports);
    assert.equal(XMLValidator.validate(xml), true);
    assert.match(xml, /<testsuites name="helix" tests="18" failures="3" errors="0"/);
    assert.match(xml, /<testsuite name="test:mocha.log" tests="8" failures="2" errors="0" skipped="2"/);
    assert.match(xml, /<testcase classname="math" name="is slow" time="0.093"\/>/);
    assert.match(xml, /9 of 10 tests are not listed by the runner/);
  });

  it('keeps names, messages and control characters through a reader', () => {
    const message = 'got "<a & b>"\n\u001b[31mred\u001b[0m \u0000 \ud800 end';
    const report: TestReport = {
      task: 'test:<odd & "name">',
      counts: { total: 1, passed: 0, failed: 1, skipped: 0 },
      cases: [{ suite: 's', name: 'a < b', status: 'failed', message, output: message }],
      recognised: 'tap',
      failure: 'the command ended with exit code 1',
    };
    const xml = junitXml([report]);
    assert.equal(XMLValidator.validate(xml), true);
    const parsed = new XMLParser({
      ignoreAttributes: false,
      attributeNamePrefix: '',
      parseAttributeValue: false,
    }).parse(xml) as {
      testsuites: { testsuite: { name: string; testcase: { name: string; failure: { message: string } } } };
    };
    const suite = parsed.testsuites.testsuite;
    assert.equal(suite.name, 'test:<odd & "name">');
    assert.equal(suite.testcase.name, 'a < b');
    assert.match(suite.testcase.failure.message, /^got "<a & b>"/);
    assert.match(suite.testcase.failure.message, /\\x1b\[31mred\\x1b\[0m \\x00 \ufffd end$/);
  });

  it('shows a task that failed with all its tests passed as an error', async () => {
    const { report } = await read('jest-verbose.log');
    assert.match(
      junitXml([report]),
      /errors="1".*\n.*name="the task itself"><error message="the command ended with exit code 1"/,
    );
    const { report: green } = await read('jest-verbose.log', 0);
    assert.doesNotMatch(junitXml([green]), /<error/);
  });
});

describe('quoted failures', () => {
  it('say the test, the message and where, without the frames of runners', async () => {
    const mocha = await quote('mocha.log');
    assert.match(mocha, /^✖ test:mocha.log: math > breaks\n {4}AssertionError \[ERR_ASSERTION\]: 1 == 2/);
    assert.match(mocha, /✖ test:mocha.log: math > deep > breaks too\n {4}Error: deep error/);
    assert.doesNotMatch(await quote('tape.log'), /node_modules\/tape/);
    assert.match(await quote('cargo.log'), /assertion `left == right` failed\n\s+left: 2\n\s+right: 3/);
    assert.match(
      await quote('vitest.log'),
      /✖ test:vitest.log: a.test.mjs > math > breaks\n {4}AssertionError: expected 1 to be 2/,
    );
  });

  it('leave out a Go test that failed only because its subtests did', async () => {
    const text = await quote('go-json.log');
    assert.match(text, /TestTable\/two\n {4}calc_test.go:15: two is wrong/);
    assert.doesNotMatch(text, /TestTable$/m);
  });

  it('are the end of the log when no runner is known, as people read it', async () => {
    assert.match(
      await quote('missing-linter.log'),
      /the command ended with exit code 1\n[\s\S]*sh: 1: evalmd: not found$/,
    );
    const { report } = await read('missing-linter.log');
    const json = '{"Action":"output","Package":"p","Output":"panic: no\\n"}\n';
    assert.match(quoteFailures([report], new Map([[report.task, json]])), /exit code 1\n {4}panic: no$/);
  });

  it('are nothing when nothing failed', async () => {
    const { report, log } = await read('jest-verbose.log', 0);
    assert.equal(quoteFailures([report], new Map([[report.task, log]])), '');
  });

  it('stay within their limit and say how many are left out', async () => {
    const all = await quote('mocha.log');
    const cut = await quote('mocha.log', 120);
    assert.ok(all.length > 180 && cut.length < 150, `${all.length} and ${cut.length} characters`);
    assert.match(cut, /\.\.\. and 1 more failure$/);
  });
});
