/** Waits until a signal has reached a child. One that has just ended needs no telling, and whoever is cancelled meanwhile hears so at the next step. */
export async function tellChild(sent: Promise<void> | undefined): Promise<void> {
  await sent?.catch(() => undefined);
}
