/** An Ansible inventory: groups of hosts, with variables of both. */
export class Inventory {
  readonly #groups = new Map<string, Group>();
  readonly #hostVars = new Map<string, Record<string, string>>();

  group(name: string): Group {
    let group = this.#groups.get(name);
    if (!group) {
      group = { hosts: new Set(), children: new Set(), vars: {} };
      this.#groups.set(name, group);
    }
    return group;
  }

  addHost(group: string, host: string, vars: Record<string, string>): void {
    this.group(group).hosts.add(host);
    this.#hostVars.set(host, { ...this.#hostVars.get(host), ...vars });
  }

  hosts(): string[] {
    return [...this.#hostVars.keys()];
  }

  /** Groups a host is in, the inner ones later, without `all` and `ungrouped`. */
  groupsOf(host: string): string[] {
    return this.#depths(host)
      .map(([name]) => name)
      .filter((name) => name !== 'all' && name !== 'ungrouped');
  }

  /** Its own variables over those of its groups, an inner group's over an outer's, all over those of `all`. */
  varsOf(host: string): Record<string, string> {
    const groups = this.#depths(host).map(([name]) => this.group(name).vars);
    return Object.assign({}, ...groups, this.#hostVars.get(host)) as Record<string, string>;
  }

  /** Names that are groups and have no member: a typing error in `:children`, mostly. */
  emptyGroups(): string[] {
    return [...this.#groups]
      .filter(([, { hosts, children }]) => hosts.size + children.size === 0)
      .map(([name]) => name);
  }

  /** Groups with their depth below the top, by depth and then by name, as Ansible merges them. */
  #depths(host: string): [string, number][] {
    const depths = new Map<string, number>([['all', 0]]);
    const rise = (name: string, seen: string[]): number => {
      if (seen.includes(name)) return 0;
      const parents = [...this.#groups].filter(([, group]) => group.children.has(name)).map(([parent]) => parent);
      const depth = 1 + Math.max(0, ...parents.filter((one) => one !== 'all').map((one) => rise(one, [...seen, name])));
      if (name !== 'all') depths.set(name, Math.max(depth, depths.get(name) ?? 0));
      return depth;
    };
    for (const [name, group] of this.#groups) if (group.hosts.has(host)) rise(name, []);
    return [...depths].sort(([a, i], [b, j]) => i - j || (a < b ? -1 : 1));
  }
}

export interface Group {
  hosts: Set<string>;
  children: Set<string>;
  vars: Record<string, string>;
}
