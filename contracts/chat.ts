import { z } from 'zod';
import { modelNameSchema } from './agent.ts';
import { attachmentsSchema } from './attachment.ts';
import { checkpointSchema } from './job.ts';
import { reasoningSchema } from './reasoning.ts';

/** What a user says in a chat. Two messages with the same id are one. */
export const chatMessageSchema = z.strictObject({
  id: z.string().min(1).max(100),
  text: z.string().min(1).max(100_000),
  /** Answers this message and those after it. */
  model: modelNameSchema.optional(),
  /** Of this message and those after it; what is left out stays as it was. */
  reasoning: reasoningSchema.optional(),
  attachments: attachmentsSchema.optional(),
});
export type ChatMessage = z.infer<typeof chatMessageSchema>;

/** Goes back to a checkpoint of the chat: with its files, its conversation, or both. Nothing is lost by it: undoing can be undone. */
export const chatUndoSchema = z.strictObject({
  checkpointId: checkpointSchema.shape.id,
  what: z.enum(['both', 'code', 'conversation']).default('both'),
});
export type ChatUndo = z.infer<typeof chatUndoSchema>;

/** A new chat that goes on from a checkpoint of another, by default from its last. */
export const chatForkSchema = z.strictObject({
  checkpointId: checkpointSchema.shape.id.optional(),
  idempotencyKey: z.string().min(1).max(200).optional(),
});
export type ChatFork = z.infer<typeof chatForkSchema>;

/** `branch` is null when the source is remote. */
export const publishedBranchSchema = z.object({ branch: z.string().nullable() });
