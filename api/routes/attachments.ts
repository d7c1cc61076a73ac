import express, { Router } from 'express';
import { z } from 'zod';
import { attachmentSchema, largestImage, readAttachment, type StoredAttachment } from '../../contracts/attachment.ts';
import { HelixError } from '../../contracts/error.ts';
import type { ApiDeps } from '../deps.ts';
import { allowOnly } from '../middleware/not-found.ts';
import { parseInput } from '../parse-input.ts';

const querySchema = z.strictObject({ name: attachmentSchema.shape.name });

/** Takes files that are then attached to messages by their hash. The body is the file as it is, of whatever media type. */
export function attachmentRoutes({ storeBlob }: ApiDeps): Router {
  const router = Router();
  router
    .route('/attachments')
    .post(
      // One that is somewhat too large gets the sentence that names the limit.
      express.raw({ type: () => true, limit: 4 * largestImage }),
      async (request, response) => {
        const { name } = parseInput(querySchema, request.query);
        const content: unknown = request.body;
        if (!Buffer.isBuffer(content)) throw new HelixError('usage.invalid', `${name} is empty`);
        const { kind } = readAttachment(name, content);
        const hash = await storeBlob(content);
        response.status(201).json({ name, hash, kind, bytes: content.length } satisfies StoredAttachment);
      },
    )
    .all(allowOnly('POST'));
  return router;
}
