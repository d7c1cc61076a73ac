import { ava } from './ava.ts';
import { cargoTest } from './cargo-test.ts';
import { ctest } from './ctest.ts';
import { goJson } from './go-json.ts';
import { goPlain } from './go-plain.ts';
import { googletest } from './googletest.ts';
import { jasmine } from './jasmine.ts';
import { jest } from './jest.ts';
import { lineReporter } from './line-reporter.ts';
import { mocha } from './mocha.ts';
import { nodeTest } from './node-test.ts';
import type { Parser } from './parser.ts';
import { pytest } from './pytest.ts';
import { surefire } from './surefire.ts';
import { tap } from './tap.ts';
import { unittest } from './unittest.ts';
import { uvu } from './uvu.ts';
import { vitest } from './vitest.ts';

/** All runners. Where two claim the same lines, the earlier one has them. */
export const parsers: readonly Parser[] = [
  ctest,
  goJson,
  pytest,
  googletest,
  tap,
  nodeTest,
  mocha,
  jest,
  vitest,
  ava,
  jasmine,
  uvu,
  lineReporter,
  goPlain,
  cargoTest,
  unittest,
  surefire,
];
