import ssh2, { type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';

/**
 * The keys of an SSH agent, or the one that is asked for. An agent that does not answer has none: its socket often outlives it, and then
 * other keys are still to be tried.
 */
export class AgentKeys extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: InstanceType<typeof ssh2.OpenSSHAgent>;
  readonly #only: Buffer | undefined;

  constructor(socketPath: string, only?: Buffer) {
    super();
    this.#agent = new ssh2.OpenSSHAgent(socketPath);
    this.#only = only;
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    this.#agent.getIdentities((error, keys) => {
      const offered = error ? [] : (keys ?? []);
      const only = this.#only;
      const wanted = offered.filter((key) => !only || ('getPublicSSH' in key && key.getPublicSSH().equals(only)));
      done(null, wanted);
    });
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    done?: SignCallback,
  ): void {
    if (typeof options === 'function') this.#agent.sign(key, data, options);
    else this.#agent.sign(key, data, options, done);
  }
}
