export interface TestCase {
  suite: string;
  name: string;
  status: 'passed' | 'failed' | 'skipped';
  durationMs?: number;
  message?: string;
  output?: string;
}
