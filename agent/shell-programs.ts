/** What programs do beyond what their words say, as far as rules on commands need to know it. */

const words = (text: string): Set<string> => new Set(text.trim().split(/\s+/));

/** Programs that run the command behind them. */
export const wrappers = words(`
  env sudo doas nohup command builtin exec time nice ionice timeout stdbuf setsid chroot unshare flock watch xargs parallel busybox toybox
  strace ltrace npx bunx pnpx uvx dlx caffeinate setarch taskset chrt proot fakeroot script runuser su
  poetry pipenv uv conda mamba pdm hatch rye bundle nix-shell nix direnv watchexec entr tmux screen systemd-run dotenv cross-env nyc c8
`);
export const shells = /^(sh|bash|dash|zsh|ksh|mksh|ash|fish|rbash)$/;

/** Where code is an argument. */
const codeOptions: [program: RegExp, option: RegExp][] = [
  [/^(python|pypy)[\d.]*$/, /^-\w*c/],
  [
    /^(node|nodejs|deno|bun|tsx|ts-node)$/,
    /^(-\w*[epr]|--eval|--print|eval|--require|--import|--loader)$|^--(eval|print|require|import|(experimental-)?loader)=/,
  ],
  [/^(perl|ruby|lua|php|Rscript|osascript)[\d.]*$/, /^-\w*[eErR]/],
  [/^g?awk$|^mawk$|^nawk$/, /system|\||^-f|^--file/],
  [/^sed$/, /(^|[;}\d/])e( |$)|\/[gpi\d]*e[gpi\d]*$|^-\w*f|^--file/],
  [/^git$/, /^(-c|--config-env|--exec-path=.*|--upload-pack.*|--receive-pack.*)$|ext::/],
  [
    /^(vim?|nvim|ex|ed|emacs|tclsh|expect|gdb|make|tar|rsync|zip|man|less)$/,
    /^(!|-c|-ex|-x|-P|--pager|--eval=.*|--to-command=.*|--checkpoint-action=.*|--use-compress-program.*|-I|-e|-TT)/,
  ],
  [
    /^(npm|pnpm|yarn)$/,
    /^(explore|config|set|set-script|pkg|patch-package)$|^--(script-shell|node-options|scripts-prepend-node-path)/,
  ],
];

/** Programs that do what a file of the workspace tells them, if only to be tried out. */
const obeysFiles = words(`
  make gmake bmake ninja just rake task gradle gradlew mvn mvnw ant cmake ctest tox nox invoke fab scons bazel buck meson composer mix stack cabal
  docker podman docker-compose crontab at batch tclsh expect m4 gdb lldb osascript perl ruby lua luajit php Rscript R julia deno tsx ts-node groovy scala
  kotlin elixir erl racket guile jshell
`);
const runsSources =
  /^(go (run|generate|tool)|cargo (run|script)|dotnet (run|script)|swift run|zig (run|build)|bun (?!(test|add|remove|install|i|pm)\b))/;
const gitRunsOthers =
  /^git (config|bisect run|filter-branch|submodule foreach|difftool|mergetool|send-email|web--browse|instaweb|hook|maintenance)\b|^git (rebase .*(-x|--exec)|grep .*(-O|--open-files-in-pager)|archive .*--exec)/;
/** A link made by these leads where no rule can look. */
const unpacks = [/^git (apply|am)\b/, /^patch\b/, /^(unzip|cpio|7z|bsdtar)\b/, /^tar -?-?\w*x/];
const harmlessModules =
  /^(pytest|unittest|doctest|mypy|flake8|ruff|black|isort|pylint|coverage|compileall|py_compile|json\.tool|venv|pip|build)$/;

/** Variables by which a program is told to run another one, or other code. */
export const tellingVariables =
  /^(PATH|LD_\w+|DYLD_\w+|BASH_ENV|ENV|IFS|PS4|PROMPT_COMMAND|SHELL|BROWSER|VISUAL|\w*EDITOR|\w*PAGER|LESSOPEN|NODE_\w+|npm_config_\w+|GIT_\w+|PYTHON\w+|PERL5\w+|RUBY\w+|\w*JAVA\w*OPTIONS|MAVEN_OPTS|MAKEFLAGS|CARGO\w*|RUSTC\w*|CC|CXX|LD|AR)\+?=/;

/** What code a program runs that no rule was held against; undefined when none is known of. `bare`: the command without its leading options. */
export function hiddenCode(name: string, rest: string[], bare: string[]): string | undefined {
  if (codeOptions.some(([who, option]) => who.test(name) && rest.some((word) => option.test(word))))
    return `the code given to ${name}`;
  if (obeysFiles.has(name)) return isQuestion(rest) ? undefined : `what ${name} is told by files`;
  const lines = [[name, ...rest].join(' '), ...bare];
  if (lines.some((line) => runsSources.test(line))) return `the program that ${name} makes of the sources`;
  if (lines.some((line) => gitRunsOthers.test(line))) return `what git runs for ${rest[0] ?? 'this'}`;
  if (/^(node|nodejs)$/.test(name) && !rest.includes('--test')) return scriptOf(rest, name);
  if (unpacks.some((pattern) => lines.some((line) => pattern.test(line)))) return `what ${name} unpacks`;
  if (/^pip\d*$/.test(name) && rest.some((word) => /^(-e|--editable|-r|\.|\/|file:)/.test(word)))
    return 'what it installs';
  if (/^(python|pypy)[\d.]*$/.test(name)) {
    const module = rest.indexOf('-m');
    if (module < 0) return scriptOf(rest, name);
    return harmlessModules.test(rest[module + 1] ?? '') ? undefined : `the module ${rest[module + 1] ?? ''}`;
  }
  return undefined;
}

function isQuestion(rest: string[]): boolean {
  return rest.length === 1 && /^(-v|-V|--version|--help)$/.test(rest[0]!);
}

function scriptOf(rest: string[], name: string): string | undefined {
  const file = rest.find((word) => !word.startsWith('-'));
  return file === undefined ? undefined : `the code in ${file}, run by ${name}`;
}

const networkPrograms =
  /^(curl|wget|aria2c|nc|ncat|netcat|socat|ssh|scp|sftp|rsync|ftp|tftp|telnet|ping|dig|nslookup|host|xh|http|https|httpie|lynx|w3m|gh|glab|aws|gcloud|az|kubectl|helm|rclone|s3cmd|mail|sendmail|mutt|getent|traceroute|mosh)$/;
const networkCommands =
  /^(git (push|clone|fetch|pull|ls-remote|remote|submodule|send-email|archive --remote)|openssl s_client|(npm|pnpm|yarn|bun|cargo|poetry|twine|gem|docker|podman) (publish|login|logout|adduser|unpublish|push|pull|owner|token|upload))\b/;
/** An address among their words is a text like any other. */
const textPrograms = words(
  'echo printf grep egrep fgrep rg sed awk jq cat test [ [[ true false : git expr tr cut head tail wc diff sort',
);

/** Whether the network is a program's work, `lines` being the ways to read its command; `hasAddress`: one is among its words. */
export function usesNetwork(name: string, lines: string[], hasAddress: boolean): boolean {
  if (networkPrograms.test(name) || lines.some((line) => networkCommands.test(line))) return true;
  return hasAddress && !textPrograms.has(name) && !wrappers.has(name) && !shells.test(name);
}

/** Hosts that a program of the network is given without an address around them: `nc host 80`, `curl host/path`, `ssh user@host`. */
export function bareHosts(name: string, rest: string[]): string[] {
  if (!networkPrograms.test(name)) return [];
  return rest.flatMap((word) => {
    if (/^\d+$/.test(word)) return [];
    const found = /^(?:[\w.+-]+@)?(\[[0-9a-f:]+\]|localhost|(?:[a-z0-9_-]+\.)+[a-z0-9-]+)\.?(?:[:/].*)?$/i.exec(word);
    const inList = /^(?:tcp|udp|openssl|ssl)\d?:([^:,]+)/i.exec(word);
    const host = found?.[1] ?? inList?.[1];
    // `127.1` is 127.0.0.1 too.
    return host !== undefined && URL.canParse(`http://${host}/`) ? [new URL(`http://${host}/`).hostname] : [];
  });
}

const writesAll = words(
  'touch mv rm rmdir mkdir tee truncate split csplit chmod chown chgrp shred unlink mkfifo mknod patch unzip rename fallocate',
);
const writesLast = words('cp install ln rsync scp');
const gitWrites = words('mv rm checkout restore clean apply am worktree clone init bundle archive');
/** Options of programs that write what stands behind them, or in the same word. */
const writtenOptions: [program: RegExp, option: RegExp][] = [
  [/^(sort|curl|wget)$/, /^(-\w*[oOP]|--output|--output-document|--directory-prefix)$/],
  [/^(tar|7z)$/, /^(-\w*f|-C|--directory|--file)$/],
  [/^(cp|mv|install|ln)$/, /^(-t|--target-directory)$/],
  [/^find$/, /^-(fprint0?|fprintf|fls)$/],
];

/** Which of the words behind a program name files that it writes. */
export function writtenWords(name: string, rest: string[]): (index: number) => boolean {
  const option = writtenOptions.find(([who]) => who.test(name))?.[1];
  const isOptions = (index: number): boolean =>
    option !== undefined && (option.test(rest[index - 1] ?? '') || option.test(rest[index]!.split('=')[0]!));
  if (writesAll.has(name)) return () => true;
  if (writesLast.has(name)) {
    const last = rest.findLastIndex((word) => !word.startsWith('-'));
    return (index) => index === last || isOptions(index);
  }
  if (name === 'dd') return (index) => rest[index]!.startsWith('of=');
  if (name === 'git') return (index) => index > 0 && gitWrites.has(rest[0]!);
  if (name === 'find' && rest.includes('-delete')) return () => true;
  if (/^(sed|perl|ruby)$/.test(name) && rest.some((word) => /^(-\w*i|--in-place)/.test(word))) {
    const script = rest.some((word) => /^-\w*e/.test(word)) ? -1 : rest.findIndex((word) => !word.startsWith('-'));
    return (index) => index !== script && !/^-\w*[ef]$/.test(rest[index - 1] ?? '') && !/^-\w*[ef]/.test(rest[index]!);
  }
  return isOptions;
}
