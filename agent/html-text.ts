const dropped = new Set([
  'script',
  'style',
  'noscript',
  'svg',
  'template',
  'iframe',
  'object',
  'canvas',
  'head',
  'select',
]);
const blocks = new Set(
  'address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form header hr html legend main nav ol p pre section summary table tbody tfoot thead ul'.split(
    ' ',
  ),
);
const named: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  copy: '©',
  reg: '®',
  trade: '™',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  bull: '•',
  middot: '·',
  rarr: '→',
  larr: '←',
  times: '×',
  laquo: '«',
  raquo: '»',
  euro: '€',
};

/**
 * The readable text of a page, in Markdown's manner: headings, lists, code, and links with their addresses made absolute. Scripts, styles and
 * what is hidden by an attribute are left out. Takes time in proportion to the page's length.
 */
export function htmlToText(html: string, base: string): string {
  const writer = new TextWriter(base);
  const title = /<title[^>]*>([^<]{1,500})/i.exec(html.slice(0, 100_000))?.[1];
  if (title) writer.line(decodeEntities(title).replace(/\s+/g, ' ').trim());
  for (let at = 0; at < html.length;) {
    const tagStart = html.indexOf('<', at);
    writer.text(html.slice(at, tagStart < 0 ? undefined : tagStart));
    if (tagStart < 0) break;
    at = html.startsWith('<!--', tagStart) ? behind(html, '-->', tagStart + 4) : readTag(html, tagStart, writer);
  }
  return writer.result();
}

/** Returns the index behind the tag, or behind the element when all of it is left out. */
function readTag(html: string, start: number, writer: TextWriter): number {
  const match = /^<(\/?)([a-zA-Z][\w:-]{0,40})/.exec(html.slice(start, start + 50));
  if (!match) {
    if (/^<[!?]/.test(html.slice(start, start + 2))) return behind(html, '>', start);
    writer.text('<');
    return start + 1;
  }
  const name = match[2]!.toLowerCase();
  const end = tagEnd(html, start + match[0].length);
  const attributes = html.slice(start + match[0].length, end - 1).slice(0, 10_000);
  if (match[1] !== '/' && dropped.has(name) && !attributes.endsWith('/')) {
    const close = new RegExp(`</${name}[\\s>]`, 'gi');
    close.lastIndex = end;
    const found = close.exec(html);
    // Only so much can be missing its end, or every such tag would read to the end of the page.
    return found ? behind(html, '>', found.index) : name === 'head' ? end : html.length;
  }
  if (match[1] === '/') writer.close(name);
  else writer.open(name, attributes);
  return end;
}

function tagEnd(html: string, from: number): number {
  let quote = '';
  for (let at = from; at < html.length && at < from + 20_000; at += 1) {
    const character = html[at]!;
    if (quote) quote = character === quote ? '' : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at + 1;
  }
  return behind(html, '>', from);
}

function behind(html: string, end: string, from: number): number {
  const found = html.indexOf(end, from);
  return found < 0 ? html.length : found + end.length;
}

class TextWriter {
  readonly #base: string;
  readonly #lines: string[] = [];
  // In pieces: looking at the end of a long text that grows would take time in proportion to its square.
  #line: string[] = [];
  #isBlank = true;
  #endsInSpace = true;
  #pre = 0;
  #links: (string | undefined)[] = [];

  constructor(base: string) {
    this.#base = base;
  }

  text(raw: string): void {
    const text = decodeEntities(raw);
    if (this.#pre > 0) {
      const [first, ...rest] = text.split('\n');
      this.#add(first!);
      for (const line of rest) {
        this.#end();
        this.#add(line);
      }
    } else {
      const words = text.replace(/\s+/g, ' ');
      this.#add(this.#endsInSpace ? words.trimStart() : words);
    }
  }

  line(text: string): void {
    this.#end();
    this.#lines.push(text, '');
  }

  open(name: string, attributes: string): void {
    if (name === 'br') this.#end();
    else if (/^h[1-6]$/.test(name)) this.#block(`${'#'.repeat(Number(name[1]))} `);
    else if (name === 'tr') this.#end();
    else if (name === 'li') {
      this.#end();
      this.#add('- ', true);
    } else if (name === 'pre') {
      this.#block('```');
      this.#end();
      this.#pre += 1;
    } else if (name === 'td' || name === 'th') this.#add(this.#isBlank ? '' : ' | ');
    else if (name === 'a') this.#links.push(this.#address(attributes));
    else if (name === 'img') {
      const alternative = attribute(attributes, 'alt');
      if (alternative) this.#add(`[image: ${alternative}]`);
    } else if (name === 'code' && this.#pre === 0) this.#add('`');
    else if (blocks.has(name)) this.#block('');
  }

  close(name: string): void {
    if (name === 'a') {
      const link = this.#links.pop();
      if (link !== undefined && !this.#isBlank) this.#add(` (${link})`);
    } else if (name === 'pre') {
      this.#end();
      if (this.#pre > 0) this.#lines.push('```', '');
      this.#pre = Math.max(0, this.#pre - 1);
    } else if (name === 'code' && this.#pre === 0) this.#add('`');
    else if (name === 'tr' || name === 'li') this.#end();
    else if (blocks.has(name) || /^h[1-6]$/.test(name)) this.#block('');
  }

  result(): string {
    this.#end();
    return this.#lines
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trim();
  }

  #add(piece: string, isMark = false): void {
    if (piece === '') return;
    this.#line.push(piece);
    this.#endsInSpace = piece.endsWith(' ');
    if (!isMark && piece.trim() !== '') this.#isBlank = false;
  }

  #address(attributes: string): string | undefined {
    const target = attribute(attributes, 'href');
    if (!target || target.startsWith('#') || !URL.canParse(target, this.#base)) return undefined;
    const { protocol, href } = new URL(target, this.#base);
    return /^(https?|mailto):$/.test(protocol) && href.length < 500 ? href : undefined;
  }

  #block(start: string): void {
    this.#end();
    if (this.#lines.at(-1) !== '' && this.#lines.length > 0) this.#lines.push('');
    this.#add(start, true);
  }

  #end(): void {
    const whole = this.#line.join('');
    const line = this.#pre > 0 ? whole.trimEnd() : whole.trim();
    if (line !== '' || this.#pre > 0) this.#lines.push(line);
    this.#line = [];
    this.#isBlank = true;
    this.#endsInSpace = true;
  }
}

function attribute(attributes: string, name: string): string | undefined {
  const match = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(attributes);
  const value = match?.[1] ?? match?.[2] ?? match?.[3];
  return value === undefined ? undefined : decodeEntities(value).trim();
}

function decodeEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,8}));?/gi,
    (whole, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return named[name] ?? whole;
      const code = decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal);
      return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : whole;
    },
  );
}
