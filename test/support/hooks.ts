/** What to end when the tests have ended: shared servers register here on their first use. */
const endings: (() => Promise<void>)[] = [];

export function atEndOfTests(end: () => Promise<void>): void {
  endings.push(end);
}

/** Ends them; mocha does so by itself, a program that is run without it has to. */
export async function endShared(): Promise<void> {
  for (let end = endings.pop(); end; end = endings.pop()) await end();
}

// A root hook, because the module is imported outside of any suite; so it holds with and without a mocha configuration.
if ('after' in globalThis) after('shared servers', endShared);
