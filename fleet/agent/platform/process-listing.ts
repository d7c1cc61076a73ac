/** A process as Windows lists it. A parent may be long gone, and its id another process's by now. */
export interface ListedProcess {
  pid: number;
  parent: number;
  /** Milliseconds since 1970. */
  started: number;
}

/** A process by its id, which was not its own before `from`, and was at `at`; both in milliseconds since 1970. */
export interface KnownProcess {
  pid: number;
  from: number;
  at: number;
}

/** Lines of a process's id, its parent's and when it was started; what is no such line is passed over. */
export function readListing(text: string): ListedProcess[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, parent, started] = /^(\d+) (\d+) (\d+)\s*$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), started: Number(started) }];
  });
}

/**
 * The living ones of some processes and all that came from them. Children of a process that has ended are found by its id, as long as that was
 * its own when they were started. What came from a child that has ended and is not among the known ones cannot be found.
 */
export function processesFrom(known: KnownProcess[], listing: ListedProcess[]): ListedProcess[] {
  const byId = new Map(listing.map((one) => [one.pid, one]));
  const children = new Map<number, ListedProcess[]>();
  for (const one of listing) children.set(one.parent, [...(children.get(one.parent) ?? []), one]);
  const found = new Map<number, ListedProcess>();
  const open = [...known];
  for (let one = open.pop(); one !== undefined; one = open.pop()) {
    const { pid, from, at } = one;
    const holder = byId.get(pid);
    const isAlive = holder !== undefined && holder.started >= from && holder.started <= at;
    if (isAlive) found.set(pid, holder);
    // Whoever had the id before is another's parent, and so is whoever has it now.
    const until = isAlive ? Infinity : (holder?.started ?? Infinity);
    for (const { pid: child, started } of children.get(pid) ?? [])
      if (started >= from && started < until && !found.has(child))
        open.push({ pid: child, from: started, at: started });
  }
  return [...found.values()];
}
