import type { Client, ClientChannel } from 'ssh2';
import { HelixError } from '../../contracts/error.ts';
import type { SshAddress } from '../../contracts/node.ts';

/** A connected host on the way. */
export interface Through {
  client: Client;
  name: string;
}

/** A connection from a host on the way to the next one, which is called `name` in messages. Throws `node.unreachable`. */
export function openForward({ client, name: from }: Through, target: SshAddress, name: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new HelixError('node.unreachable', `the connection to jump host ${from} was lost`));
    client.once('close', lost);
    client.forwardOut('127.0.0.1', 0, target.host, target.port, (error, channel) => {
      client.off('close', lost);
      if (!error) return resolve(channel);
      // SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, of which sshd says no more in words than of other failures.
      const forbidden = (error as { reason?: unknown }).reason === 1;
      const advice = forbidden
        ? 'does AllowTcpForwarding of its sshd forbid it, or a certificate without permit-port-forwarding?'
        : 'is the machine up, and the address right?';
      reject(
        new HelixError(
          'node.unreachable',
          `${name} cannot be reached from jump host ${from} (${error.message}): ${advice}`,
          {
            cause: error,
          },
        ),
      );
    });
  });
}
