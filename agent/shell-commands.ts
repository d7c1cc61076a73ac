import { parseShell } from './shell-syntax.ts';
import type { ShellWord, SimpleCommand } from './shell-syntax.ts';
import { workspacePath } from './paths.ts';
import {
  bareHosts,
  hiddenCode,
  shells,
  tellingVariables,
  usesNetwork,
  wrappers,
  writtenWords,
} from './shell-programs.ts';

/** One simple command of a shell command, in the forms in which rules are held against it. */
export interface CommandForms {
  /** As it is written, without needless quotes and spaces: what a rule that allows has to match. */
  text: string;
  /** What it comes to behind tricks, the commands it runs for others among them: what a rule that denies or asks is held against. */
  meanings: string[];
}

/** A file that a command names. */
export interface NamedFile {
  /** Workspace-relative or absolute, normalised; as written where it leaves the workspace. */
  path: string;
  access: 'read' | 'edit';
  /** The path has `*`, `?` or `[` in it and stands for what it matches. */
  hasGlob: boolean;
  /** The program takes a folder with all that is in it. */
  isWhole: boolean;
  /** By the shell itself, whatever the program is. */
  isRedirected: boolean;
}

export interface CommandFacts {
  commands: CommandForms[];
  /** Whether nothing but these commands can run, with exactly these words. */
  isCertain: boolean;
  /** What may hide a command no rule was held against: code given to an interpreter, a script, an expansion as program. Undefined when nothing does. */
  hides: string | undefined;
  files: NamedFile[];
  /** Hosts in addresses among the words. */
  hosts: string[];
  /** A program whose work is the network is among them. */
  usesNetwork: boolean;
}

/** What a shell command does, as far as it can be said without running it. */
export function readCommand(command: string): CommandFacts {
  const facts: CommandFacts = {
    commands: [],
    isCertain: true,
    hides: undefined,
    files: [],
    hosts: hostsIn(command),
    usesNetwork: false,
  };
  const parsed = parseShell(command);
  facts.isCertain = parsed.isCertain;
  let folder: string | undefined = '.';
  for (const simple of parsed.commands) {
    const meanings = new Set<string>();
    const words = simple.words.map((word) => word.text);
    explain(words, meanings, facts, 0);
    if (simple.words[0] && !simple.words[0].isLiteral) hide(facts, `what ${simple.words[0].text} stands for`);
    if (simple.assignments.some((one) => tellingVariables.test(one))) {
      hide(facts, `what ${simple.assignments.join(' ')} makes of it`);
    }
    const text = [...simple.assignments, ...simple.words.map(quoted)].join(' ');
    facts.commands.push({ text, meanings: [...meanings] });
    addFiles(simple, folder, facts);
    folder = folderAfter(simple, folder);
  }
  if (!parsed.isCertain && parsed.commands.length === 0) hide(facts, 'all of it');
  return facts;
}

const mostSuffixes = 40;

/** Collects what a simple command means, and what it runs for others. */
function explain(words: string[], meanings: Set<string>, facts: CommandFacts, depth: number): void {
  const program = words[0];
  if (program === undefined) return;
  if (depth > 6) return hide(facts, 'commands within commands');
  const name = program.split('/').at(-1)!;
  const rest = words.slice(1);
  const plain = [name, ...rest].join(' ').trim();
  // Every end of a line of wrappers is come to in many ways.
  if (meanings.has(plain)) return;
  meanings.add(plain);
  const bare = withoutOptions(name, rest);
  for (const one of bare) meanings.add(one);
  const hosts = bareHosts(name, rest);
  facts.hosts.push(...hosts.filter((host) => !facts.hosts.includes(host)));
  if (
    usesNetwork(
      name,
      [plain, ...bare],
      rest.some((word) => hostsIn(word).length > 0),
    )
  )
    facts.usesNetwork = true;
  if (program.includes('/')) hide(facts, `what the program ${program} is`);

  if (shells.test(name)) explainShell(rest, meanings, facts, depth);
  else if (name === 'eval' || name === 'trap')
    explainScript(name === 'eval' ? rest.join(' ') : (rest[0] ?? ''), meanings, facts, depth);
  else if (name === '.' || name === 'source') hide(facts, `what is in ${rest[0] ?? 'a file'}`);
  else if (name === 'find') {
    rest.forEach((word, index) => {
      if (/^-(exec|execdir|ok|okdir)$/.test(word)) explain(rest.slice(index + 1), meanings, facts, depth + 1);
    });
  } else if (wrappers.has(name)) {
    // Which words are the wrapper's own would need the options of each: every end of the line is taken for the command.
    if (rest.length > mostSuffixes || rest.some((word) => /^(-S|--split-string)/.test(word)))
      hide(facts, `what ${name} runs`);
    rest.slice(0, mostSuffixes).forEach((word, index) => {
      if (word === '-c' && rest[index + 1] !== undefined) explainScript(rest[index + 1]!, meanings, facts, depth);
      else if (tellingVariables.test(word)) hide(facts, `what ${word} makes of it`);
      else if (!/^-|^[A-Za-z_]\w*=/.test(word)) explain(rest.slice(index), meanings, facts, depth + 1);
    });
    if (name === 'xargs' || name === 'parallel') hide(facts, `what ${name} reads`);
  } else if (/^(npm|pnpm|yarn)$/.test(name) && /^(exec|x|dlx)$/.test(rest[0] ?? '')) {
    explain(['npx', ...rest.slice(1)], meanings, facts, depth + 1);
  }
  const code = hiddenCode(name, rest, bare);
  if (code !== undefined) hide(facts, code);
}

function explainShell(rest: string[], meanings: Set<string>, facts: CommandFacts, depth: number): void {
  const option = rest.findIndex((word) => /^-[a-zA-Z]*c[a-zA-Z]*$/.test(word));
  const script = option < 0 ? undefined : rest.slice(option + 1).find((word) => !/^[-+]/.test(word));
  if (script === undefined) hide(facts, 'what a shell reads');
  else explainScript(script, meanings, facts, depth);
}

function explainScript(script: string, meanings: Set<string>, facts: CommandFacts, depth: number): void {
  const parsed = parseShell(script);
  if (!parsed.isCertain) {
    facts.isCertain = false;
    hide(facts, script.length > 100 ? 'a script' : script);
  }
  for (const simple of parsed.commands) {
    explain(
      simple.words.map((word) => word.text),
      meanings,
      facts,
      depth + 1,
    );
    addFiles(simple, '.', facts);
  }
}

/** `git -C x -c y push` is `git push`; of other programs, leading options are left out, with and without the word after each. */
function withoutOptions(name: string, rest: string[]): string[] {
  const takesValue = name === 'git' ? /^(-C|-c|--git-dir|--work-tree|--namespace)$/ : undefined;
  const found: string[] = [];
  for (const skipsValues of takesValue ? [true] : [true, false]) {
    let at = 0;
    while (at < rest.length && rest[at]!.startsWith('-') && rest[at] !== '-') {
      const isPair = takesValue ? takesValue.test(rest[at]!) : skipsValues && !rest[at]!.includes('=');
      at += isPair ? 2 : 1;
    }
    if (at > 0) found.push([name, ...rest.slice(at)].join(' '));
  }
  return found;
}

function hide(facts: CommandFacts, what: string): void {
  facts.hides ??= what;
}

function quoted(word: ShellWord): string {
  return /[\s'"\\;&|<>()#]/.test(word.text) || word.text === '' ? `'${word.text.replaceAll("'", "'\\''")}'` : word.text;
}

const wholeFolders = /^(grep|egrep|fgrep|zgrep|rg|ag|ack|tar|zip|7z|cp|mv|rm|rsync|scp|find|diff|chmod|chown|ln)$/;

/** Reads all below the folder it is started in without being told to. */
function searchesAll(words: string[]): boolean {
  return (
    words.some((name) => /^(rg|ag|ack|find)$/.test(name)) ||
    (words.some((name) => /grep$/.test(name)) &&
      words.some((word) => /^(-\w*[rR]|--(dereference-)?recursive)|^git$/.test(word)))
  );
}

function addFiles({ words, reads, writes }: SimpleCommand, folder: string | undefined, facts: CommandFacts): void {
  const add = (word: ShellWord, text: string, access: NamedFile['access'], isRedirected = false): void => {
    if (text === '' || text.length > 4096) return;
    if (access === 'edit' && /^\/dev\/(null|stdout|stderr|tty)$/.test(text)) return;
    const socket = /^\/dev\/(?:tcp|udp)\/([^/]*)/.exec(text);
    if (socket) {
      facts.usesNetwork = true;
      if (socket[1]) facts.hosts.push(socket[1].toLowerCase());
    }
    const places = folder === undefined || folder === '.' ? [text] : [`${folder}/${text}`, text];
    const isElsewhere = folder?.startsWith('/') === true && access === 'edit';
    for (const place of /^[/~]/.test(text) ? [text] : isElsewhere ? [`${folder}/${text}`] : places) {
      const path = workspacePath(place) ?? place;
      if (
        facts.files.some((file) => file.path === path && file.access === access && file.isRedirected === isRedirected)
      )
        continue;
      facts.files.push({ path, access, hasGlob: word.hasGlob, isWhole, isRedirected });
    }
  };
  const programs = words.map((word) => word.text.split('/').at(-1)!);
  const isWhole = programs.some((name) => wholeFolders.test(name));
  if (searchesAll(programs)) add({ text: '.', isLiteral: true, hasGlob: false }, '.', 'read');
  // Behind a wrapper every word may be the program.
  const isWrapped = wrappers.has(programs[0] ?? '');
  const writers = (isWrapped ? programs : programs.slice(0, 1)).map((name, index) =>
    writtenWords(
      name,
      words.slice(index + 1).map((word) => word.text),
    ),
  );
  for (const [index, word] of words.entries()) {
    // `--file=path`, `-fpath`, `@path`, `user:path` and `HEAD:path` name files too.
    const parts = new Set([word.text, ...word.text.split(/[=@:,]/), word.text.replace(/^-[A-Za-z]/, '')]);
    const isWritten = writers.some((isWrittenBy, at) => at < index && isWrittenBy(index - at - 1));
    for (const part of parts) add(word, part, isWritten ? 'edit' : 'read');
  }
  for (const word of reads) add(word, word.text, 'read', true);
  for (const word of writes) add(word, word.text, 'edit', true);
}

function folderAfter({ words }: SimpleCommand, folder: string | undefined): string | undefined {
  const [program, target] = words;
  if (program?.text !== 'cd' && program?.text !== 'pushd') return folder;
  if (!target?.isLiteral || target.text.startsWith('-') || folder === undefined) return undefined;
  const path = target.text.startsWith('/') ? target.text : `${folder}/${target.text}`;
  return path.startsWith('/') ? path : workspacePath(path);
}

function hostsIn(command: string): string[] {
  const found = new Set<string>();
  for (const [address] of command.matchAll(/[a-z][a-z0-9+.-]{1,20}:\/\/[^\s'"`<>|;)\\]{1,2000}/gi)) {
    const host = hostOf(address);
    if (host !== undefined) found.add(host);
  }
  for (const [, host] of command.matchAll(/[\w.-]{1,64}@([a-z0-9.-]{1,255}):/gi)) found.add(host!.toLowerCase());
  return [...found];
}

/** The host of an address, as rules are held against it: lower case, without port and the dot at its end. Undefined when it is no address. */
export function hostOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const host = new URL(address).hostname.toLowerCase().replace(/\.$/, '');
  return host === '' ? undefined : host;
}
