// The direction of imports: contracts <- domain folders <- activities <- workers, api, cli. docs/architecture.md says why.
const domain = '^(snapshots|fleet|modes|db|config|observability|blobs|llm|agent)/';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'contracts-on-zod-alone',
      severity: 'error',
      from: { path: '^contracts/' },
      to: { pathNot: ['^contracts/', 'node_modules/zod/'] },
    },
    {
      name: 'workflows-on-contracts',
      comment:
        'Workflows import contracts, the strategies of reasoning, and activities as types only: the linter sees to the latter.',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        pathNot: [
          '^contracts/',
          '^workflows/',
          '^activities/',
          '^llm/(reasoning/|thinking\\.ts$)',
          '^node_modules/@temporalio/(workflow|common)/',
        ],
      },
    },
    {
      name: 'reasoning-runs-in-workflows',
      comment: 'No Node, and nothing at run time but itself.',
      severity: 'error',
      from: { path: '^llm/(reasoning/|thinking\\.ts$)' },
      to: { pathNot: ['^contracts/', '^llm/(reasoning/|thinking\\.ts$)'] },
    },
    {
      name: 'nothing-imports-the-edges',
      severity: 'error',
      from: { pathNot: '^(workers|api|cli|test|bench)/' },
      to: { path: '^(workers|api|cli)/' },
    },
    {
      name: 'domain-below-activities',
      severity: 'error',
      from: { path: domain },
      to: { path: '^(activities|workflows|infra|client)/' },
    },
    {
      name: 'domain-folders-stand-alone',
      comment: 'Everybody may log and be configured.',
      severity: 'error',
      from: { path: '^(snapshots|modes|db|blobs|config|observability|llm)/' },
      to: { path: domain, pathNot: ['^$1/', '^(observability|config)/'] },
    },
    {
      name: 'fleet-on-snapshots',
      comment: 'Moving a workspace to a snapshot and back is what the program on a node does.',
      severity: 'error',
      from: { path: '^fleet/' },
      to: { path: domain, pathNot: ['^fleet/', '^snapshots/', '^(observability|config)/'] },
    },
    {
      name: 'agent-on-snapshots',
      comment: "An agent's tools read and write snapshots; its conversation lives in the blob store.",
      severity: 'error',
      from: { path: '^agent/' },
      to: { path: domain, pathNot: ['^agent/', '^snapshots/', '^blobs/', '^(observability|config)/'] },
    },
    {
      name: 'cli-over-the-api',
      comment: 'A machine that joins by itself has no API of its own.',
      severity: 'error',
      from: { path: '^(cli|tui|mobile)/' },
      to: {
        path: '^(db|workers|api|activities|workflows|fleet|blobs|llm|agent)/',
        pathNot: '^fleet/joiner/run\\.ts$',
      },
    },
    {
      name: 'no-tests-in-product',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(fixtures|node-runtime)/|^examples/[^/]+/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
