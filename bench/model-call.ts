import { setTimeout as delay } from 'node:timers/promises';
import { openProvider } from '../llm/providers/registry.ts';
import { median } from './compare.ts';
import { benchKey, type Call, providerCall, sdkCall, type Wire } from './gateways/calls.ts';
import { type Served, startLitellm, startPortkey, startScriptedServer } from './gateways/start.ts';
import { cpuSeconds } from './processes.ts';
import type { BenchRow } from './row.ts';

const rounds = 20;
const callsInRow = 10;
const callsBefore = 2;
const warmUps = 40;
/** For what a gateway does after its answer: it belongs to the call. */
const settleMs = 100;

/** One way of making the same call. */
interface Way {
  call: Call;
  /** Of the processes between the client and the provider. */
  pids: number[];
}

/** Of one call, in milliseconds. */
interface Cost {
  firstToken: number;
  whole: number;
  /** Of the client and of what stands between it and the provider. */
  cpu: number;
}

interface Gateway {
  name: string;
  served?: Served;
  /** Why there is none. */
  reason?: string;
}

/** What HelixCode's providers, and gateways, add to a streamed call of the vendor's bare SDK, all at one server that answers at once. */
export async function benchModelCall(): Promise<BenchRow[]> {
  const server = await startScriptedServer();
  const gateways = [await tryStart('litellm', () => startLitellm(server.url)), await tryStart('portkey', startPortkey)];
  try {
    const rows: BenchRow[] = [];
    for (const wire of ['openai', 'anthropic'] as const) rows.push(...(await benchWire(wire, server, gateways)));
    return rows;
  } finally {
    for (const { served } of [...gateways, { served: server }]) await served?.stop();
  }
}

async function tryStart(name: string, start: () => Promise<Served>): Promise<Gateway> {
  try {
    return { name, served: await start() };
  } catch (error) {
    return { name, reason: (error as Error).message.replace(/\s+/g, ' ').slice(0, 200) };
  }
}

async function benchWire(wire: Wire, server: Served, gateways: readonly Gateway[]): Promise<BenchRow[]> {
  const provider = await openProvider(wire, {
    apiKey: benchKey,
    baseUrl: wire === 'openai' ? `${server.url}/v1` : server.url,
  });
  const ways: Record<string, Way> = { sdk: { call: sdkCall(wire, server.url), pids: [] } };
  for (const { name, served } of gateways)
    if (served) ways[name] = { call: sdkCall(wire, served.url, headersFor(name, wire, server)), pids: [served.pid] };
  ways['ours'] = { call: providerCall(wire, provider), pids: [] };
  ways['again'] = { call: sdkCall(wire, server.url), pids: [] };
  const measured = await measure(ways);
  await provider.close();
  return metrics.flatMap((metric) => rowsOf(wire, metric, measured, gateways));
}

/** Portkey is told with each call where it goes; litellm has it in its configuration. */
function headersFor(gateway: string, wire: Wire, server: Served): Record<string, string> {
  if (gateway !== 'portkey') return {};
  return { 'x-portkey-provider': wire, 'x-portkey-custom-host': `${server.url}/v1` };
}

/**
 * The costs of each way by rounds. A round goes through the ways there and back, so that a drift of the machine hits all alike; each begins with
 * another one, as what comes behind a busy gateway finds a machine that is still busy.
 */
async function measure(ways: Record<string, Way>): Promise<Record<string, Cost[]>> {
  const entries = Object.entries(ways);
  for (const [, { call }] of entries) for (let run = 0; run < warmUps; run += 1) await call();
  const costs: Record<string, Cost[]> = Object.fromEntries(entries.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const first = round % entries.length;
    const order = [...entries.slice(first), ...entries.slice(0, first)];
    const there: Record<string, Cost> = {};
    for (const [name, way] of order) there[name] = await callsOf(way);
    for (const [name, way] of order.toReversed()) {
      const back = await callsOf(way);
      const mean = (metric: keyof Cost): number => (there[name]![metric] + back[metric]) / 2;
      costs[name]!.push({ firstToken: mean('firstToken'), whole: mean('whole'), cpu: mean('cpu') });
    }
  }
  return costs;
}

async function callsOf({ call, pids }: Way): Promise<Cost> {
  // Not measured: the first calls behind another way pay for what that one has left in caches and in the heap.
  for (let run = 0; run < callsBefore; run += 1) await call();
  const gatewayBefore = await gatewaySeconds(pids);
  const clientBefore = process.cpuUsage();
  const times = [];
  for (let run = 0; run < callsInRow; run += 1) times.push(await call());
  await delay(settleMs);
  const client = process.cpuUsage(clientBefore);
  const gatewayMs = ((await gatewaySeconds(pids)) - gatewayBefore) * 1000;
  return {
    firstToken: median(times.map(({ firstToken }) => firstToken)),
    whole: median(times.map(({ whole }) => whole)),
    cpu: ((client.user + client.system) / 1000 + gatewayMs) / callsInRow,
  };
}

async function gatewaySeconds(pids: number[]): Promise<number> {
  return pids.length === 0 ? 0 : await cpuSeconds(pids);
}

const metrics = ['firstToken', 'whole', 'cpu'] as const;
const metricNames = { firstToken: 'time to first token', whole: 'whole call', cpu: 'CPU' };

function rowsOf(
  wire: Wire,
  metric: keyof Cost,
  costs: Record<string, Cost[]>,
  gateways: readonly Gateway[],
): BenchRow[] {
  const what = `models: ${wire}, ${metricNames[metric]}`;
  const values = (way: string): number[] => costs[way]!.map((cost) => cost[metric]);
  const sdk = values('sdk');
  const row = (name: string, ours: number[], peer: number[], target: string): BenchRow => ({
    name: `${what}, ${name}`,
    ours: median(ours),
    peer: median(peer),
    unit: 'ms',
    ratio: median(ours.map((value, round) => value / peer[round]!)),
    target,
  });
  const added = (way: string): number[] => values(way).map((value, round) => value - sdk[round]!);
  return [
    row('against the bare SDK', values('ours'), sdk, '-'),
    row('A/A: the bare SDK against itself', values('again'), sdk, '1x'),
    ...gateways.map(({ name, served, reason }): BenchRow => {
      if (served) return row(`added to the SDK's, against ${name}`, added('ours'), added(name), '< 1x');
      const ours = median(added('ours'));
      return { name: `${what}, added; ${name} skipped: ${reason}`, ours, unit: 'ms', target: '-' };
    }),
  ];
}
