import { createInterface, type Interface } from 'node:readline';
import type { AgentMessage } from '../../contracts/agent.ts';
import { HelixError } from '../../contracts/error.ts';
import type { JobEvent, JobEventData } from '../../contracts/event.ts';
import { clean, cleanLine } from '../text/clean.ts';
import { style } from '../text/style.ts';
import { describeEvent } from '../view/describe-event.ts';
import { type ChatAtPrompt, slashCommands } from './commands.ts';
import { type Chat, exchange } from './exchange.ts';

/** What the answer itself, or the next prompt, says already. */
const unsaid = new Set<JobEventData['type']>([
  'chat.asked',
  'checkpoint.recorded',
  'model.answered',
  'step.started',
  'step.finished',
  'job.started',
]);

/** A chat in a terminal, until the user leaves. */
export class ChatPrompt {
  readonly #chat: ChatAtPrompt;
  readonly #terminal: Interface;
  readonly #leave = new AbortController();
  /** Takes the next line; without it somebody types while the agent works. */
  #taker: ((line: string | undefined) => void) | undefined;
  #isWorking = false;
  #wasInterrupted = false;
  /** Whether the cursor stands behind words of the agent. */
  #isMidLine = false;
  /** Whether the last of them were thoughts. */
  #isThinking = false;

  constructor(chat: Chat) {
    this.#chat = { ...chat, applied: 'c0' };
    this.#terminal = createInterface({ input: process.stdin, output: process.stdout });
    this.#terminal.on('line', (line) => this.#line(line));
    this.#terminal.on('close', () => this.#leaveNow());
    this.#terminal.on('SIGINT', () => this.#interrupted());
  }

  async run(): Promise<number> {
    this.#print(style('dim', `${this.#chat.chatId}; /help shows what there is beside talking, Ctrl-C stops`));
    try {
      for (;;) {
        const line = (await this.#ask(style('bold', '> ')))?.trim();
        if (line === undefined || line === '/exit') break;
        if (line !== '') await this.#do(line);
        if (this.#leave.signal.aborted) break;
      }
      await this.#publish();
    } finally {
      this.#terminal.close();
    }
    const { chatId } = this.#chat;
    process.stderr.write(`left: "helix chat --resume ${chatId}" comes back, "helix cancel ${chatId}" ends it\n`);
    return 0;
  }

  async #do(line: string): Promise<void> {
    try {
      if (line.startsWith('/')) await this.#command(line.slice(1).trim().split(/\s+/));
      else await this.#say(line);
    } catch (error) {
      if (this.#leave.signal.aborted) return;
      if (!(error instanceof HelixError)) throw error;
      this.#print(style('red', error.message));
    }
  }

  async #command([name, ...args]: string[]): Promise<void> {
    const command = Object.hasOwn(slashCommands, name!) ? slashCommands[name!] : undefined;
    if (!command) throw new HelixError('usage.invalid', `there is no /${name}: /help lists what there is`);
    this.#print(await command.run(this.#chat, args));
  }

  async #say(text: string): Promise<void> {
    this.#isWorking = true;
    try {
      const { status, said, wasTold } = await exchange(
        this.#chat,
        text,
        {
          event: (event) => this.#event(event),
          piece: (piece) => {
            if (piece.type === 'text') this.#words(piece.text);
            if (piece.type === 'thinking') this.#thought(piece.text);
            if (piece.type === 'restarted') this.#print(style('dim', '(told anew)'));
          },
          away: () => this.#print(style('dim', 'the stack is away; the agent goes on when it is back')),
        },
        this.#leave.signal,
      );
      delete this.#chat.model;
      delete this.#chat.attachments;
      delete this.#chat.reasoning;
      if (!wasTold && said !== '') this.#print(clean(said).trimEnd());
      if (status === 'limit') this.#print(style('yellow', 'it has made as many calls as it may for one message'));
    } finally {
      this.#isWorking = false;
      // It was meant for the agent.
      this.#wasInterrupted = false;
    }
  }

  async #event(event: JobEvent): Promise<void> {
    const { data } = event;
    if (data.type === 'agent.asks') return await this.#decide(data);
    if (data.type === 'model.answered' && this.#isMidLine) this.#print('');
    // Steps of reasoning are not told as they come, since several may come at once.
    const isUnsaid = unsaid.has(data.type) && !(data.type === 'model.answered' && data.step !== undefined);
    const line = isUnsaid ? undefined : describeEvent(event);
    if (line !== undefined) this.#print(line);
  }

  /** Puts what the agent asks to the user. Somebody else may answer first: then this answer does not count. */
  async #decide(asked: Extract<JobEventData, { type: 'agent.asks' }>): Promise<void> {
    const { client, chatId } = this.#chat;
    const message = asked.kind === 'approval' ? await this.#approval(asked) : await this.#answer(asked);
    if (!message) return;
    await client.tellAgent(chatId, message).catch((error: unknown) => {
      if (!(error instanceof HelixError)) throw error;
      this.#print(style('red', error.message));
    });
  }

  async #approval(asked: Extract<JobEventData, { type: 'agent.asks' }>): Promise<AgentMessage | undefined> {
    const { callId, text, tool } = asked;
    const always = tool === undefined ? '' : `, [a]lways allow "${tool}" in this chat`;
    for (;;) {
      const given = await this.#ask(style('yellow', `${cleanLine(text)}? [y]es, [n]o${always}: `));
      if (given === undefined) return undefined;
      const key = given.trim().toLowerCase();
      if (key === 'y' || key === 'yes') return { type: 'decide', callId, allowed: true };
      if (key === 'n' || key === 'no') return { type: 'decide', callId, allowed: false };
      if ((key === 'a' || key === 'always') && tool !== undefined)
        return { type: 'decide', callId, allowed: true, always: { decision: 'allow', tool } };
    }
  }

  async #answer(asked: Extract<JobEventData, { type: 'agent.asks' }>): Promise<AgentMessage | undefined> {
    const { callId, text, choices } = asked;
    this.#print(style('yellow', clean(text)));
    for (const [index, choice] of choices.entries()) this.#print(`  ${index + 1}. ${cleanLine(choice)}`);
    const given = (await this.#ask('answer: '))?.trim();
    if (given === undefined) return undefined;
    return { type: 'answer', callId, answer: choices[Number(given) - 1] ?? given };
  }

  async #publish(): Promise<void> {
    const { client, chatId } = this.#chat;
    if (this.#isWorking) return;
    const branch = await client.publish(chatId).catch((error: unknown) => {
      if (!(error instanceof HelixError)) throw error;
      process.stderr.write(`nothing was put on a branch: ${error.message}\n`);
      return null;
    });
    if (branch !== null) process.stderr.write(`the changes are on the branch ${branch}\n`);
  }

  /** Undefined when the user leaves, or stops the agent that asks. */
  #ask(question: string): Promise<string | undefined> {
    if (this.#leave.signal.aborted) return Promise.resolve(undefined);
    if (this.#isMidLine) this.#print('');
    return new Promise((resolve) => {
      this.#taker = resolve;
      this.#terminal.setPrompt(question);
      this.#terminal.prompt();
    });
  }

  #line(line: string): void {
    this.#wasInterrupted = false;
    const taker = this.#taker;
    this.#taker = undefined;
    if (taker) taker(line);
    else if (this.#isWorking && line.trim() !== '') this.#tell({ type: 'steer', text: line.trim() });
  }

  /** Ctrl-C: the first stops the agent, or is a warning; the second leaves. */
  #interrupted(): void {
    if (this.#wasInterrupted) return this.#leaveNow();
    this.#wasInterrupted = true;
    if (!this.#isWorking) {
      this.#print('\nCtrl-C once more leaves');
      return this.#terminal.prompt();
    }
    this.#print('\nstopping; Ctrl-C once more leaves');
    this.#tell({ type: 'stop' });
    this.#taker?.(undefined);
    this.#taker = undefined;
  }

  #tell(message: AgentMessage): void {
    const { client, chatId } = this.#chat;
    client.tellAgent(chatId, message).catch((error: unknown) => {
      this.#print(style('red', error instanceof Error ? error.message : String(error)));
    });
  }

  #leaveNow(): void {
    this.#leave.abort();
    this.#taker?.(undefined);
    this.#taker = undefined;
  }

  #words(text: string): void {
    if (this.#isThinking && this.#isMidLine) this.#print('');
    this.#isThinking = false;
    this.#write(clean(text));
  }

  /** What the model thinks before it speaks. */
  #thought(text: string): void {
    if (!this.#isThinking && this.#isMidLine) this.#print('');
    this.#isThinking = true;
    this.#write(clean(text), (shown) => style('dim', shown));
  }

  #write(shown: string, styled = (text: string): string => text): void {
    process.stdout.write(styled(shown));
    if (shown !== '') this.#isMidLine = !shown.endsWith('\n');
  }

  #print(text: string): void {
    process.stdout.write(`${this.#isMidLine ? '\n' : ''}${text}${text === '' && this.#isMidLine ? '' : '\n'}`);
    this.#isMidLine = false;
  }
}
