import ssh2, { type IdentityCallback, type ParsedKey, type SignCallback, type SigningRequestOptions } from 'ssh2';
import { lastWords } from '../last-words.ts';
import { listIdentities } from './agent-identities.ts';
import { isCertificate } from './certificate.ts';
import { certifiedKey } from './certified-key.ts';
import { certificateOf, type FoundCertificate } from './key-certificate.ts';

export interface AgentSelection {
  /** The public key of the only one that is wanted. */
  only?: Buffer | undefined;
  /** Certificates from files, for keys that the agent may hold. */
  certificates?: FoundCertificate[];
}

/** The keys of an SSH agent, or the one that is asked for; those with certificates are shown with these first, and then without. */
export class AgentKeys extends ssh2.BaseAgent<ParsedKey> {
  /** The certificates that it has offered to a server. */
  shown: FoundCertificate[] = [];
  readonly #socketPath: string;
  readonly #agent: InstanceType<typeof ssh2.OpenSSHAgent>;
  readonly #selection: AgentSelection;
  /** The identity of the agent's that signs for what is shown. */
  #signers = new Map<ParsedKey, ParsedKey>();

  constructor(socketPath: string, selection: AgentSelection = {}) {
    super();
    this.#socketPath = socketPath;
    this.#agent = new ssh2.OpenSSHAgent(socketPath);
    this.#selection = selection;
  }

  override getIdentities(done: IdentityCallback<ParsedKey>): void {
    void this.#list().then((keys) => done(null, keys), done);
  }

  override sign(
    key: ParsedKey,
    data: Buffer,
    options: SigningRequestOptions | SignCallback,
    done?: SignCallback,
  ): void {
    const signer = this.#signers.get(key) ?? key;
    if (typeof options === 'function') this.#agent.sign(signer, data, options);
    else this.#agent.sign(signer, data, options, done);
  }

  async #list(): Promise<ParsedKey[]> {
    const { only, certificates = [] } = this.#selection;
    const held = await listIdentities(this.#socketPath);
    const plain = held.flatMap(({ blob }) => (isCertificate(blob) ? [] : parsePublic(blob)));
    const own = held.flatMap(({ blob, comment }) => {
      const { found } = isCertificate(blob) ? certificateOf(`"${lastWords(comment)}" of the SSH agent`, blob) : {};
      return found ? [found] : [];
    });
    const wanted = (key: Buffer): boolean => !only || key.equals(only);
    this.#signers = new Map();
    this.shown = [];
    const certified = (found: FoundCertificate, signer?: ParsedKey): ParsedKey[] => {
      const { certificate } = found;
      const [key] = parsePublic(certificate.publicKey);
      const twice = this.shown.some((one) => one.certificate.blob.equals(certificate.blob));
      if (!key || twice || !wanted(certificate.publicKey)) return [];
      const shown = certifiedKey(key, certificate);
      this.#signers.set(shown, signer ?? shown);
      this.shown.push(found);
      return [shown];
    };
    return [
      ...own.flatMap((found) => certified(found)),
      ...certificates.flatMap((found) => {
        const signer = plain.find((key) => key.getPublicSSH().equals(found.certificate.publicKey));
        return signer ? certified(found, signer) : [];
      }),
      ...plain.filter((key) => wanted(key.getPublicSSH())),
    ];
  }
}

/** None of a type that ssh2 does not know. */
function parsePublic(blob: Buffer): ParsedKey[] {
  const key = ssh2.utils.parseKey(blob);
  return key instanceof Error || Array.isArray(key) ? [] : [key];
}
