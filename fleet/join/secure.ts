import { constants } from 'node:crypto';
import type { Socket } from 'node:net';

/**
 * TLS with a key that both sides know and no certificate: neither side gets further than the handshake with anybody else. The key agreement is
 * ephemeral, so that a secret which leaks later opens nothing that was recorded before. No other cipher, version or resumption is allowed.
 */
export const secureOptions = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const;

/** Calls back once when nothing has come for so long. What is written does not count: it may go nowhere. */
export function onSilence(socket: Socket, limitMs: number, heardNothing: () => void): void {
  const timer = setTimeout(heardNothing, limitMs);
  socket.on('data', () => timer.refresh());
  socket.once('close', () => clearTimeout(timer));
}
