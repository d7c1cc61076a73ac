import { lookup } from 'node:dns/promises';
import { HelixError } from '../contracts/error.ts';
import { activityGroup } from './activity-group.ts';

const largestPage = 2 << 20;
const timeoutMs = 30_000;

export interface FetchedPage {
  status: number;
  mediaType: string;
  /** Text, cut at 2 MiB; empty for what is no text. */
  body: string;
}

/** Pages that agents ask for; whether they may was decided before. */
export function createPageActivities() {
  return activityGroup({
    /** Redirects are not followed but told: the new address is another decision. Throws `usage.invalid` for an address that is no page. */
    async fetchPage({ url }: { url: string }): Promise<FetchedPage> {
      const address = URL.canParse(url) ? new URL(url) : undefined;
      if (!address || !['http:', 'https:'].includes(address.protocol))
        throw new HelixError('usage.invalid', `${url} is no http or https address`);
      await refuseLinkLocal(address);
      const response = await fetch(address, {
        redirect: 'manual',
        headers: { accept: 'text/html, text/*, application/json;q=0.9, */*;q=0.1', 'user-agent': 'HelixCode' },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const mediaType = response.headers.get('content-type') ?? '';
      const location = response.headers.get('location');
      if (response.status >= 300 && response.status < 400 && location) {
        await response.body?.cancel();
        const target = URL.canParse(location, address.href) ? new URL(location, address).href : location;
        return { status: response.status, mediaType: 'text/plain', body: `This address redirects to ${target}` };
      }
      const isText =
        /^(text\/|application\/(json|xml|javascript|xhtml|.*\+(json|xml)))/.test(mediaType) || mediaType === '';
      if (!isText) {
        await response.body?.cancel();
        return { status: response.status, mediaType, body: '' };
      }
      return { status: response.status, mediaType, body: await readSome(response) };
    },
  });
}

/** Where clouds give a machine its own credentials: no page ever stands there. */
async function refuseLinkLocal(address: URL): Promise<void> {
  const host = address.hostname.replace(/^\[|\]$/g, '');
  const addresses = await lookup(host, { all: true }).catch(() => []);
  if (!addresses.some((one) => /^(169\.254\.|fe[89ab][0-9a-f]:|fd00:ec2:)/i.test(one.address))) return;
  throw new HelixError('usage.invalid', `${address.hostname} is a link-local address, where there are no pages`);
}

async function readSome(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= largestPage) break;
  }
  return Buffer.concat(chunks).subarray(0, largestPage).toString('utf8');
}
