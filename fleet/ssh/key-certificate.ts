import { readFileSync } from 'node:fs';
import {
  describeCertificate,
  likelyRefusal,
  parseCertificate,
  parseCertificateFile,
  type Certificate,
} from './certificate.ts';

export interface FoundCertificate {
  /** A file, or words that say where else. For messages. */
  place: string;
  certificate: Certificate;
}

/** A certificate that can be shown, or why what is there cannot be; neither when there is none. */
export interface KeyCertificate {
  found?: FoundCertificate;
  problem?: string;
}

const mostDescribed = 4;

/** The certificate `KEY-cert.pub` beside a key file, where OpenSSH looks too. `publicKey` is the key's own, where it is known. */
export function certificateBeside(keyFile: string, publicKey: Buffer | undefined): KeyCertificate {
  const place = `${keyFile}-cert.pub`;
  let content: Buffer;
  try {
    content = readFileSync(place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    return { problem: notShown(place, (error as Error).message) };
  }
  return toShow(place, () => parseCertificateFile(content), publicKey);
}

/** The same with a certificate from elsewhere. */
export function certificateOf(place: string, blob: Buffer): KeyCertificate {
  return toShow(place, () => parseCertificate(blob), undefined);
}

function toShow(place: string, parse: () => Certificate, publicKey: Buffer | undefined): KeyCertificate {
  try {
    const certificate = parse();
    if (certificate.kind === 'host') return { problem: notShown(place, 'it is for hosts') };
    if (publicKey && !publicKey.equals(certificate.publicKey)) {
      return { problem: notShown(place, 'it certifies another key') };
    }
    return { found: { place, certificate } };
  } catch (error) {
    return { problem: notShown(place, `it cannot be read as one: ${(error as Error).message}`) };
  }
}

export function notShown(place: string, reason: string): string {
  return `the certificate ${place} was not shown (${reason})`;
}

/** What to say of certificates that a server has refused, as parts of a sentence. */
export function describeRefused(certificates: FoundCertificate[], user: string): string[] {
  const said = certificates
    .slice(0, mostDescribed)
    .map(
      ({ place, certificate }) =>
        `the certificate ${place} was refused too, and holds ${describeCertificate(certificate)}: ${likelyRefusal(certificate, user)}`,
    );
  const more = certificates.length - said.length;
  return more > 0 ? [...said, `${more} more certificates were refused`] : said;
}
