import type { PermissionMode, PermissionRule, Permissions } from '../contracts/agent.ts';
import { matchesGlob } from './glob.ts';
import { isSensitivePath, workspacePath } from './paths.ts';
import { readCommand } from './shell-commands.ts';
import type { CommandFacts, CommandForms, NamedFile } from './shell-commands.ts';

/** What a call of a tool would do. */
export interface PermissionSubject {
  tool: string;
  /** `ask`: it asks or tells somebody, and changes nothing. */
  kind: 'read' | 'edit' | 'run' | 'network' | 'ask';
  /** Workspace-relative, as the model gave it. */
  path?: string | undefined;
  /** For a shell. */
  command?: string | undefined;
  /** Of a command: what it runs besides, found in files. Rules are held against it; that the mode allows it is enough otherwise. */
  runs?: readonly string[] | undefined;
  /** Of a command: symbolic links of the workspace, by their paths, with what they lead to. */
  links?: ReadonlyMap<string, string> | undefined;
  /** Host name. */
  host?: string | undefined;
}

export interface PermissionDecision {
  decision: PermissionRule['decision'];
  /** A sentence for people and models. */
  reason: string;
}

const modeDecisions: Record<PermissionMode, Record<PermissionSubject['kind'], PermissionRule['decision']>> = {
  plan: { read: 'allow', edit: 'deny', run: 'deny', network: 'ask', ask: 'allow' },
  ask: { read: 'allow', edit: 'ask', run: 'ask', network: 'ask', ask: 'allow' },
  'accept-edits': { read: 'allow', edit: 'allow', run: 'ask', network: 'ask', ask: 'allow' },
  auto: { read: 'allow', edit: 'allow', run: 'allow', network: 'ask', ask: 'allow' },
  full: { read: 'allow', edit: 'allow', run: 'allow', network: 'allow', ask: 'allow' },
};
const strictness = { allow: 0, ask: 1, deny: 2 };

/**
 * Decides what a call may do. Rules come first: a `deny` that matches wins, otherwise the last that matches, otherwise the mode. Beyond the
 * rules: nothing is edited or run in mode `plan`, nothing outside the workspace is read or edited, and in every mode but `full` secrets and
 * git's own files are asked for, unless a rule allows them by a path that names such files.
 *
 * A shell command is decided by each of the simple commands in it, the files it names and the hosts it names, the strictest of them. This is a
 * fence around what is asked for, not around what a program does once it runs.
 */
export function decide(permissions: Permissions, subject: PermissionSubject): PermissionDecision {
  if (subject.kind === 'run') return decideCommand(permissions, subject);
  if (subject.path !== undefined) return decidePath(permissions, subject, subject.path);
  const host = subject.host?.toLowerCase().replace(/\.$/, '');
  return decideOne(permissions, { ...subject, host });
}

/** The strictest of several; of none, that nothing stands against it. */
export function strictest(decisions: PermissionDecision[]): PermissionDecision {
  const none: PermissionDecision = { decision: 'allow', reason: 'it touches nothing' };
  return decisions.reduce(
    (worst, one) => (strictness[one.decision] > strictness[worst.decision] ? one : worst),
    decisions[0] ?? none,
  );
}

interface Decided extends PermissionDecision {
  /** Absent when the mode decided. */
  rule?: PermissionRule;
}

interface NormalSubject extends PermissionSubject {
  /** The simple command in question; none of them matches a rule with `command` that allows when `isCertain` is false. */
  forms?: CommandForms;
  isCertain?: boolean;
}

function decidePath(permissions: Permissions, subject: PermissionSubject, given: string): PermissionDecision {
  const path = workspacePath(given);
  if (path === undefined) {
    return { decision: 'deny', reason: `${JSON.stringify(given)} is outside the workspace` };
  }
  const byRules = decideOne(permissions, { ...subject, path });
  if (byRules.decision !== 'allow' || permissions.mode === 'full' || !isSensitivePath(path)) return byRules;
  return isNamedByRule(permissions, { ...subject, path }) ? byRules : secretDecision(path);
}

/** Whether a rule allows it by a path that names such files, not by one that covers them among others. */
function isNamedByRule({ rules }: Permissions, subject: PermissionSubject): boolean {
  return rules.some(
    (rule) => rule.decision === 'allow' && rule.path !== undefined && namesSecrets(rule.path) && matches(rule, subject),
  );
}

function namesSecrets(glob: string): boolean {
  return ['', 'x'].some((one) => isSensitivePath(glob.replace(/\*+/g, one)));
}

function secretDecision(path: string): PermissionDecision {
  return { decision: 'ask', reason: `${path} may hold secrets or belongs to git` };
}

/** By rules and mode alone. */
function decideOne(permissions: Permissions, subject: NormalSubject): Decided {
  const matching = permissions.rules.filter((rule) => matches(rule, subject));
  const rule = matching.find((one) => one.decision === 'deny') ?? matching.at(-1);
  const byMode = modeDecisions[permissions.mode][subject.kind];
  // Planning changes nothing, whatever rules made for other modes allow.
  if (byMode === 'deny' || !rule) {
    if (rule?.decision === 'deny') return byRule(rule);
    return { decision: byMode, reason: modeReason(permissions.mode, subject.kind, byMode) };
  }
  return byRule(rule);
}

function byRule(rule: PermissionRule): Decided {
  const { decision, ...members } = rule;
  const told = Object.entries(members).map(([name, value]) => `${name} ${value}`);
  const verb = { allow: 'allows', ask: 'asks for', deny: 'denies' }[decision];
  return { decision, reason: `a rule ${verb} this (${told.join(', ') || 'everything'})`, rule };
}

function modeReason(mode: PermissionMode, kind: PermissionSubject['kind'], decision: string): string {
  const what = { read: 'reading', edit: 'edits', run: 'commands', network: 'the network', ask: 'questions' }[kind];
  const verb = { allow: 'allows', ask: 'asks for', deny: 'does not allow' }[decision];
  return `permission mode "${mode}" ${verb} ${what}`;
}

function matches(rule: PermissionRule, subject: NormalSubject): boolean {
  if (rule.tool !== undefined && !matchesGlob(rule.tool, subject.tool, 'text')) return false;
  if (rule.kind !== undefined && rule.kind !== subject.kind) return false;
  if (rule.path !== undefined && !(subject.path !== undefined && matchesPath(rule, rule.path, subject.path)))
    return false;
  if (rule.host !== undefined && !(subject.host !== undefined && matchesHost(rule.host, subject.host))) return false;
  return rule.command === undefined || matchesCommand(rule, rule.command, subject);
}

function matchesPath(rule: PermissionRule, glob: string, path: string): boolean {
  const cleaned = glob.replace(/^\.\//, '').replace(/\/+$/, '');
  if (rule.decision === 'allow') return matchesGlob(cleaned, path, 'paths');
  // Careful on the side of caution: a folder means all that is in it, and a file system may not tell upper case from lower.
  const folded = cleaned.toLowerCase();
  const parts = path.toLowerCase().split('/');
  return (
    parts.some((_, index) => matchesGlob(folded, parts.slice(0, index + 1).join('/'), 'paths')) ||
    (folded.endsWith('/**') && matchesGlob(folded.slice(0, -3), parts.join('/'), 'paths'))
  );
}

function matchesHost(glob: string, host: string): boolean {
  return matchesGlob(glob.toLowerCase().replace(/\.$/, ''), host, 'text');
}

function matchesCommand(rule: PermissionRule, glob: string, { command, forms, isCertain }: NormalSubject): boolean {
  const whole = command?.trim();
  if (rule.decision === 'allow') {
    if (whole === glob.trim() && !glob.includes('*')) return true;
    return isCertain === true && forms !== undefined && matchesText(glob, forms.text);
  }
  const texts = [
    ...(whole === undefined ? [] : [whole, whole.replace(/\s+/g, ' ')]),
    ...(forms ? [forms.text, ...forms.meanings] : []),
  ];
  return texts.some((text) => matchesText(glob, text));
}

/** `git push *` is `git push` too. */
function matchesText(glob: string, text: string): boolean {
  const cleaned = glob.trim().replace(/\s+/g, ' ');
  if (cleaned.endsWith(' *') && matchesGlob(cleaned.slice(0, -2), text, 'text')) return true;
  return matchesGlob(cleaned, text, 'text');
}

function decideCommand(permissions: Permissions, subject: PermissionSubject): PermissionDecision {
  const { tool } = subject;
  const command = subject.command ?? '';
  const facts = readCommand(command);
  const { isCertain } = facts;
  const simple = facts.commands.length > 0 ? facts.commands : [{ text: command.trim(), meanings: [command.trim()] }];
  const decisions: Decided[] = simple.map((forms) =>
    decideOne(permissions, { tool, kind: 'run', command, forms, isCertain }),
  );
  const isAllowedByName = decisions.every(({ decision, rule }) => decision === 'allow' && rule?.command !== undefined);
  const guards = permissions.rules.some((rule) => isGuard(rule, tool));
  if (guards && !isAllowedByName && (!isCertain || facts.hides !== undefined)) {
    const what = facts.hides ?? 'all that it runs';
    decisions.push({
      decision: 'ask',
      reason: `it cannot be known whether the rules are for this: ${what}`,
    });
  }
  const files = facts.files.flatMap((file) => [file, ...throughLinks(file, subject.links)]);
  for (const file of files) decisions.push(...decideNamedFile(permissions, tool, file, isAllowedByName));
  // That the command may be run is decided above; what it reaches is decided as if it were run by itself.
  const within: Permissions = { ...permissions, mode: permissions.mode === 'full' ? 'full' : 'auto' };
  for (const run of subject.runs ?? []) {
    const inner = decideCommand(within, { tool, kind: 'run', command: run, links: subject.links });
    if (inner.decision === 'deny' || (inner.decision === 'ask' && !isAllowedByName))
      decisions.push({ ...inner, reason: `it runs ${JSON.stringify(run)}: ${inner.reason}` });
  }
  const network = decideHosts(permissions, tool, facts);
  // Hosts matter to rules for hosts whoever names them; the mode asks for programs of the network alone, unless a rule allows the command.
  const isModeAsked = facts.usesNetwork && !isAllowedByName;
  decisions.push(
    ...network.filter(({ decision, rule }) => isModeAsked || (rule !== undefined && decision !== 'allow')),
  );
  return strictest(decisions);
}

/** Whether a rule stands against some commands, so that those that are not understood cannot pass. */
function isGuard({ decision, tool, kind, command, path, host }: PermissionRule, ownTool: string): boolean {
  if (decision === 'allow' || (tool !== undefined && !matchesGlob(tool, ownTool, 'text'))) return false;
  // What a command edits against a rule is undone when it ends, whatever it ran. That does not reach beyond the workspace.
  if (decision === 'deny' && kind === 'edit' && path !== undefined && !/^[/~]/.test(path)) return false;
  return command !== undefined || path !== undefined || host !== undefined;
}

function decideHosts(permissions: Permissions, tool: string, { hosts, usesNetwork }: CommandFacts): Decided[] {
  if (hosts.length === 0) {
    const decided = decideOne(permissions, { tool, kind: 'network' });
    const isGuarded = permissions.rules.some((rule) => rule.decision !== 'allow' && rule.host !== undefined);
    if (!usesNetwork || !isGuarded || decided.decision !== 'allow') return [decided];
    return [{ decision: 'ask', reason: 'it cannot be known which host the rules would have to be held against' }];
  }
  return hosts.map((host) => decideOne(permissions, { tool, kind: 'network', host }));
}

/** What rules for paths, and care for secrets, make of a file that a command names; nothing when they do not mind. */
function decideNamedFile(
  permissions: Permissions,
  tool: string,
  file: NamedFile,
  isAllowedByName: boolean,
): PermissionDecision[] {
  const { path, access, isRedirected } = file;
  const { mode, rules } = permissions;
  const decisions: PermissionDecision[] = [];
  const isOutside = workspacePath(path) === undefined;
  if (access === 'edit' && isOutside && mode !== 'full' && (isRedirected || !isAllowedByName)) {
    decisions.push({ decision: 'ask', reason: `it writes ${path}, outside the workspace` });
  } else if (access === 'edit' && !isOutside && isRedirected)
    decisions.push(decidePath(permissions, { tool, kind: 'edit' }, path));
  for (const rule of rules) {
    const { decision, path: glob } = rule;
    if (decision === 'allow' || glob === undefined || rule.command !== undefined || rule.host !== undefined) continue;
    if (rule.tool !== undefined && !matchesGlob(rule.tool, tool, 'text')) continue;
    if (rule.kind === 'network' || (rule.kind === 'edit' && access === 'read')) continue;
    if (endsOf(path).some((end) => matchesPath(rule, glob, end))) decisions.push(byRule(rule));
    else if (file.hasGlob ? endsOf(path).some((end) => mayMatch(end, glob)) : file.isWhole && isAbove(path, glob)) {
      decisions.push({ decision: 'ask', reason: `${path} may reach what a rule is for (path ${glob})` });
    }
  }
  if (mode !== 'full' && mayBeSecret(file) && !isNamedByRule(permissions, { tool, kind: 'run', path })) {
    decisions.push(secretDecision(path));
  }
  return decisions;
}

const mostLinks = 8;

/** Where a path leads through symbolic links. */
function throughLinks(file: NamedFile, links: ReadonlyMap<string, string> | undefined): NamedFile[] {
  if (!links || links.size === 0) return [];
  const found: NamedFile[] = [];
  const open = [file.path];
  for (let path = open.pop(); path !== undefined && found.length < mostLinks; path = open.pop())
    for (const [link, target] of links) {
      if (path !== link && !path.startsWith(`${link}/`)) continue;
      const to = `${target}${path.slice(link.length)}`;
      const resolved = workspacePath(to) ?? to;
      if (found.some((one) => one.path === resolved)) continue;
      found.push({ ...file, path: resolved });
      open.push(resolved);
    }
  return found;
}

// A workspace's place on its node is not known: an absolute path may lead into it by any of its ends.
function endsOf(path: string): string[] {
  if (workspacePath(path) !== undefined) return [path];
  const parts = path.split('/').filter((part) => part !== '' && part !== '.' && part !== '..');
  return [path, ...parts.map((_, index) => parts.slice(index).join('/'))];
}

const secretExamples = ['.env', '.env.local', '.git', '.netrc', '.npmrc', '.ssh', 'id_rsa', 'id_ed25519'];

function mayBeSecret({ path, hasGlob }: NamedFile): boolean {
  if (isSensitivePath(path)) return true;
  return hasGlob && path.split('/').some((part) => part !== '*' && secretExamples.some((one) => mayMatch(part, one)));
}

/** Whether a file that a shell's pattern matches may be one that a rule's glob matches. */
function mayMatch(pattern: string, glob: string): boolean {
  const parts = pattern.toLowerCase().split('/');
  const wanted = glob.toLowerCase().split('/');
  for (const [index, part] of parts.entries()) {
    const other = wanted[index];
    // The rule is for a folder above, or for anything below.
    if (other === undefined || other.includes('**')) return true;
    const isWild = /[*?[]/.test(part);
    if (isWild && /[*?{]/.test(other)) continue;
    if (isWild && other.startsWith('.') && !/^[.[]/.test(part)) return false;
    if (!(isWild ? matchesGlob(part.replace(/\[[^\]]*\]/g, '?'), other, 'paths') : matchesGlob(other, part, 'paths')))
      return false;
  }
  return true;
}

/** Whether a path is a folder in which a rule's files are. */
function isAbove(path: string, glob: string): boolean {
  // What is in a folder elsewhere is not known; the workspace itself may be.
  if (workspacePath(path) === undefined && !/^[/~]/.test(glob)) return !/^\/(usr|etc|bin|sbin|lib\w*|opt)\//.test(path);
  const fixed = /^[^*?{]*/.exec(glob)![0].toLowerCase();
  return path === '.' || fixed.startsWith(`${path.toLowerCase()}/`);
}
