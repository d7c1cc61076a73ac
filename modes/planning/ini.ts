/** Sections of an INI file as Python's configparser reads them: values go on over indented lines. */
export type Ini = Map<string, Map<string, string>>;

export function parseIni(text: string): Ini {
  const sections: Ini = new Map();
  let section = new Map<string, string>();
  let key: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*([#;]|$)/.test(line)) continue;
    const header = /^\[([^\]]+)\]/.exec(line)?.[1];
    const pair = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line);
    if (header !== undefined) {
      section = sections.get(header) ?? new Map<string, string>();
      sections.set(header, section);
      key = undefined;
    } else if (/^\s/.test(line) && key !== undefined) {
      section.set(key, `${section.get(key) ?? ''}\n${line.trim()}`.trim());
    } else if (pair?.[1] !== undefined) {
      key = pair[1].trim().toLowerCase();
      section.set(key, pair[2]?.trim() ?? '');
    }
  }
  return sections;
}

/** The non-empty lines of a value, trailing comments cut. */
export function iniLines(value: string | undefined): string[] {
  return (value ?? '')
    .split('\n')
    .map((line) => line.replace(/\s[#;].*$/, '').trim())
    .filter((line) => line !== '');
}
